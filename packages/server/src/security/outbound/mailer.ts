// The one way to a mail server: the operator's own, named in the settings, so no guard stands before it as before the
// targets of tenants. One deadline over everything; the library is loaded when the first mail goes. Must never send a
// password over a connection that is not encrypted, nor show it in what it says about a failure.
import { connect as connectTcp, type Socket } from "node:net";
import { hostname } from "node:os";
import { rootCertificates } from "node:tls";
import type { MailServer } from "../../lib/mail-server.ts";

export interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Names the mail: one that is sent again has the same. */
  readonly messageKey: string;
}

/** `refused`: those of the addresses that the server would not take; others got it. */
export type MailResult =
  | { readonly kind: "sent"; readonly refused: readonly string[] }
  | { readonly kind: "failed"; readonly message: string };

export interface Mailer {
  send(mail: Mail): Promise<MailResult>;
  /** Ends what is under way. */
  close(): void;
}

const DEADLINE_MS = 60_000;

export function createMailer(server: MailServer, furtherCas: readonly string[] = []): Mailer {
  const sockets = new Set<Socket>();
  const { host, port, isTlsAtOnce, user, password, from } = server;
  const where = `${host}:${port}`;
  const hasPassword = user !== null;
  const tls = {
    // Without a password nothing is lost to a false server that a missing STARTTLS would not lose as well: a relay on
    // the next machine has rarely a certificate that anybody knows.
    rejectUnauthorized: isTlsAtOnce || hasPassword,
    minVersion: "TLSv1.2",
    ...(furtherCas.length === 0 ? {} : { ca: [...rootCertificates, ...furtherCas] }),
  } as const;

  const dial = (): { readonly socket: Socket; readonly isOpen: Promise<void> } => {
    const socket = connectTcp({ host, port, autoSelectFamily: true });
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const isOpen = new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        resolve();
      });
    });
    return { socket, isOpen };
  };

  const send = async (mail: Mail): Promise<MailResult> => {
    const { createTransport } = await import("nodemailer");
    const { socket, isOpen } = dial();
    let isLate = false;
    // The library's own limits begin anew with each line that the server says; this one does not.
    const deadline = setTimeout(() => {
      isLate = true;
      socket.destroy(new Error("too late"));
    }, DEADLINE_MS);
    try {
      await isOpen;
      const transport = createTransport({
        host,
        port,
        secure: isTlsAtOnce,
        ...(isTlsAtOnce ? {} : hasPassword ? { requireTLS: true } : { opportunisticTLS: true }),
        ...(user === null ? {} : { auth: { user, pass: password ?? "" } }),
        name: nameOfThisMachine(),
        tls,
        greetingTimeout: DEADLINE_MS,
        socketTimeout: DEADLINE_MS,
        disableFileAccess: true,
        disableUrlAccess: true,
        getSocket: (_options: unknown, done: (error: Error | null, socket: { connection: Socket }) => void) =>
          done(null, { connection: socket }),
      });
      const info = await transport.sendMail({
        // Both are our own texts, checked when they were set, never put together of what others chose.
        from: { name: from.name, address: from.address },
        to: mail.to.map((address) => ({ name: "", address })),
        envelope: { from: from.address, to: [...mail.to] },
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        messageId: `<${mail.messageKey}@${from.address.split("@")[1]}>`,
        headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
      });
      return { kind: "sent", refused: (info.rejected ?? []).map((each) => addressOf(each)) };
    } catch (error) {
      const lateness = `The mail server ${where} did not finish within ${DEADLINE_MS / 1_000} seconds.`;
      return { kind: "failed", message: isLate ? lateness : wordsOf(error as MailError, where) };
    } finally {
      clearTimeout(deadline);
      socket.destroySoon();
    }
  };

  return {
    send,
    close() {
      for (const socket of sockets) socket.destroy(new Error("the node stops"));
    },
  };
}

function addressOf(rejected: string | { readonly address: string }): string {
  return typeof rejected === "string" ? rejected : rejected.address;
}

/** What a server is greeted with has to look like a name. */
function nameOfThisMachine(): string {
  const name = hostname();
  return /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name) && name.includes(".") ? name : "[127.0.0.1]";
}

interface MailError {
  /** Looked at, never shown. */
  readonly message?: string;
  readonly code?: string;
  readonly responseCode?: number;
  readonly command?: string;
}

/** The code alone: what a server says may repeat what it was told. */
function wordsOf({ code, message, responseCode }: MailError, where: string): string {
  const answer = responseCode === undefined ? "" : ` It answered ${responseCode}.`;
  // The library calls a certificate that does not hold an error of the socket.
  const isOfTls = code === "ESOCKET" && /certificate|self-signed|altname|tls|ssl/i.test(message ?? "");
  switch (isOfTls ? "ETLS" : code) {
    case "EAUTH":
      return `The mail server ${where} refused the user and password of POSTHORN_SMTP_URL.${answer}`;
    case "ETLS":
      return `The mail server ${where} offers no encryption that can be trusted: look at its certificate, or at the port.${answer}`;
    case "EENVELOPE":
      return `The mail server ${where} refused the sender (POSTHORN_MAIL_FROM) or every recipient.${answer}`;
    case "EMESSAGE":
      return `The mail server ${where} refused the mail.${answer}`;
    case "ECONNREFUSED":
      return `Nothing listens at ${where}. Is the mail server up, and the port of POSTHORN_SMTP_URL right?`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `The name of the mail server ${where} could not be resolved.`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `The mail server ${where} could not be reached.`;
    default:
      return `The mail server ${where} broke off (${/^\w{1,40}$/.test(code ?? "") ? code : "no code"}).${answer}`;
  }
}

// A real SMTP server that nobody here wrote (smtp-server), on loopback: keeps the mails it gets, parsed by another library
// (postal-mime), and refuses what a test wants refused.
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";
import type { TestCertificate } from "../../server/test/support/receivers/certificates.ts";

export interface ReceivedMail {
  readonly mail: Email;
  readonly raw: string;
  readonly to: readonly string[];
  readonly from: string;
  readonly wasEncrypted: boolean;
}

export interface MailServerOptions {
  readonly user?: string;
  readonly password?: string;
  /** Absent: it offers no STARTTLS. */
  readonly tls?: TestCertificate;
  readonly isTlsAtOnce?: boolean;
  /** 0: any. */
  readonly port?: number;
  /** Addresses that it does not take. */
  readonly refused?: readonly string[];
}

export interface TestMailServer {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Passwords that it was shown. */
  readonly passwords: readonly string[];
  close(): Promise<void>;
}

export async function startMailServer(options: MailServerOptions = {}): Promise<TestMailServer> {
  const { user, password, tls, isTlsAtOnce = false, port = 0, refused = [] } = options;
  const mails: ReceivedMail[] = [];
  const passwords: string[] = [];
  const server = new SMTPServer({
    secure: isTlsAtOnce,
    ...(tls === undefined ? { disabledCommands: ["STARTTLS"] } : { cert: tls.certificate, key: tls.privateKey }),
    authOptional: user === undefined,
    // A server that asks for passwords in the open: what a client must not fall for.
    allowInsecureAuth: true,
    onAuth(auth, _session, done) {
      passwords.push(auth.password ?? "");
      if (auth.username === user && auth.password === password) done(null, { user: auth.username ?? "" });
      else done(new Error("no"));
    },
    onRcptTo: (address, _session, done) => done(refused.includes(address.address) ? new Error("not here") : null),
    onData(stream, session, done) {
      buffer(stream)
        .then(async (raw) => {
          const { mailFrom, rcptTo } = session.envelope;
          mails.push({
            mail: await PostalMime.parse(raw),
            raw: raw.toString(),
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            wasEncrypted: session.secure,
          });
          done();
        })
        .catch((error: unknown) => done(error as Error));
    },
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    passwords,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

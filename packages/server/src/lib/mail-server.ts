// How a mail server and addresses are written in settings and requests. Strict on purpose: what is not plainly one
// address is refused, because mail libraries have read quoted parts in more than one way.

/** As the operator gave it. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** smtps: TLS from the first byte; otherwise by STARTTLS. */
  readonly isTlsAtOnce: boolean;
  readonly user: string | null;
  readonly password: string | null;
  readonly from: MailAddress;
}

export interface MailAddress {
  /** Empty without one. */
  readonly name: string;
  readonly address: string;
}

const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
/** ASCII, no quotes, no comments; a host name of one label is a machine of one's own network. */
export const EMAIL = new RegExp(
  `^[A-Za-z0-9!#$%&'*+/=?^_\`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_\`{|}~-]+)*@${LABEL}(?:\\.${LABEL})*$`,
);
export const EMAIL_LENGTH = 254;

export function isEmail(text: string): boolean {
  return text.length <= EMAIL_LENGTH && EMAIL.test(text);
}

/** `Posthorn <posthorn@acme.example>`, or the address alone. */
export function parseMailFrom(text: string): MailAddress | null {
  const match = /^\s*(?:"?([^"<>\p{Cc}]*?)"?\s*<([^<>]+)>|([^<>\s]+))\s*$/u.exec(text);
  const address = match?.[2] ?? match?.[3] ?? "";
  return isEmail(address) ? { name: match?.[1] ?? "", address } : null;
}

export type MailUrl = Omit<MailServer, "from">;

/** `smtp://user:password@mail.acme.example:587` or `smtps://…`; user and password percent-encoded. */
export function parseMailUrl(text: string): MailUrl | null {
  if (!URL.canParse(text)) return null;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const isTlsAtOnce = protocol === "smtps:";
  if ((protocol !== "smtp:" && !isTlsAtOnce) || hostname === "" || search !== "" || hash !== "") return null;
  if (pathname !== "" && pathname !== "/") return null;
  if (username === "" && password !== "") return null;
  try {
    return {
      host: hostname.startsWith("[") ? hostname.slice(1, -1) : decodeURIComponent(hostname),
      port: port === "" ? (isTlsAtOnce ? 465 : 587) : Number(port),
      isTlsAtOnce,
      user: username === "" ? null : decodeURIComponent(username),
      password: username === "" ? null : decodeURIComponent(password),
    };
  } catch {
    return null;
  }
}

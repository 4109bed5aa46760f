// Puts into words why a connection to PostgreSQL failed, and what to do about it.
// It must never print a password, nor a text that may hold the connection string.

export type ConnectionProblemCode =
  | "DATABASE_URL_INVALID"
  | "DATABASE_UNREACHABLE"
  | "DATABASE_TLS"
  | "DATABASE_AUTH_FAILED"
  | "DATABASE_MISSING"
  | "DATABASE_BUSY"
  | "DATABASE_STARTING"
  | "DATABASE_ERROR";

export type ConnectionProblem = { readonly code: ConnectionProblemCode; readonly message: string };

export type ConnectionTarget = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
};

const problem = (code: ConnectionProblemCode, message: string): ConnectionProblem => ({ code, message });

/** For a DATABASE_URL that cannot even be read; the parser's own message would quote it, password and all. */
export function invalidUrl(): ConnectionProblem {
  return problem(
    "DATABASE_URL_INVALID",
    "DATABASE_URL cannot be read. It looks like postgres://user:password@host:5432/database; special characters in " +
      "the password are percent-encoded (@ is %40, / is %2F, # is %23).",
  );
}

/** Explains what connecting to `target`, or a query there, was rejected with. */
export function explainConnectionError(error: unknown, target: ConnectionTarget): ConnectionProblem {
  const { code, message } = describe(error);
  return bySqlState(code, message, target) ?? byNetwork(code, message, target) ?? byMessage(message, target);
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  // Node tries every address of a name; what it collects is told by the first.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const code = (first as { code?: unknown } | undefined)?.code ?? (error as { code?: unknown }).code;
  return {
    code: typeof code === "string" ? code : "",
    message: error.message || String((first as Error | undefined)?.message),
  };
}

function whereIs({ host, port }: ConnectionTarget): string {
  return host.startsWith("/") ? `the socket ${host}/.s.PGSQL.${port}` : `${host}:${port}`;
}

function bySqlState(code: string, message: string, target: ConnectionTarget): ConnectionProblem | undefined {
  switch (code) {
    case "28P01":
      return wrongLogin(target);
    case "28000":
      return refusedLogin(message, target);
    case "3D000":
      return problem(
        "DATABASE_MISSING",
        `There is no database ${target.database} at ${whereIs(target)}. Make it: create database ` +
          `${quote(target.database)} owner ${quote(target.user)} encoding 'UTF8' template template0;`,
      );
    case "53300":
      return problem(
        "DATABASE_BUSY",
        `${whereIs(target)} has no connection left (${message}). Raise max_connections (or the limit of the role or ` +
          "database): a Posthorn process uses up to 20.",
      );
    case "57P03":
      return problem(
        "DATABASE_STARTING",
        `${whereIs(target)} does not take connections now: ${message}. Try again soon.`,
      );
    default:
      return undefined;
  }
}

function wrongLogin(target: ConnectionTarget): ConnectionProblem {
  return problem(
    "DATABASE_AUTH_FAILED",
    `${whereIs(target)} refuses the user ${target.user} with this password. Correct DATABASE_URL, or set the password: ` +
      `alter role ${quote(target.user)} password '…';`,
  );
}

/** pg_hba.conf lets nobody in from here, or not without TLS. */
function refusedLogin(message: string, target: ConnectionTarget): ConnectionProblem {
  if (/no encryption|SSL off/i.test(message)) {
    return problem(
      "DATABASE_TLS",
      `${whereIs(target)} wants TLS. Add ?sslmode=verify-full (or require) to DATABASE_URL.`,
    );
  }
  return problem(
    "DATABASE_AUTH_FAILED",
    `${whereIs(target)} does not let the user ${target.user} in: ${message}. Check the user's name, its right to log in, ` +
      "and pg_hba.conf on the server.",
  );
}

function byNetwork(code: string, message: string, target: ConnectionTarget): ConnectionProblem | undefined {
  const unreachable = (why: string) =>
    problem("DATABASE_UNREACHABLE", `PostgreSQL cannot be reached at ${whereIs(target)}: ${why}`);
  switch (code) {
    case "ECONNREFUSED":
      return unreachable("nothing listens there. Is the server running, and is the port right?");
    case "ENOENT":
      return unreachable("there is no such socket. Is the server running, and is this its socket folder?");
    case "EACCES":
      return unreachable("this user may not open the socket.");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return unreachable("the name of the host cannot be resolved. Check DATABASE_URL and the name service.");
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return unreachable("there is no answer from that host. Check the address and the firewalls between.");
    case "ECONNRESET":
    case "EPIPE":
      return unreachable("the other side closed the connection. Is it PostgreSQL that listens there?");
    default:
      return isTlsCode(code) ? untrusted(code, message, target) : undefined;
  }
}

function isTlsCode(code: string): boolean {
  return /^(ERR_(TLS|SSL)|EPROTO|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH)/.test(code);
}

function untrusted(code: string, message: string, target: ConnectionTarget): ConnectionProblem {
  return problem(
    "DATABASE_TLS",
    `The TLS certificate of ${whereIs(target)} is not accepted (${code}: ${message}). Give its authority with ` +
      "?sslrootcert=/path/ca.pem in DATABASE_URL (or NODE_EXTRA_CA_CERTS), and use the host name that it was issued for.",
  );
}

/** What pg itself reports without a code. */
function byMessage(message: string, target: ConnectionTarget): ConnectionProblem {
  if (message.includes("does not support SSL")) {
    return problem(
      "DATABASE_TLS",
      `${whereIs(target)} does not speak TLS, which DATABASE_URL asks for. Turn it on there, or leave sslmode out.`,
    );
  }
  if (/SASL|password must be a string/.test(message)) return wrongLogin(target);
  if (/timeout/i.test(message)) {
    return problem(
      "DATABASE_UNREACHABLE",
      `PostgreSQL cannot be reached at ${whereIs(target)}: no answer in time. Check the address, the firewalls between, and the server's load.`,
    );
  }
  if (/Connection terminated|connection ended/i.test(message)) {
    return problem(
      "DATABASE_UNREACHABLE",
      `${whereIs(target)} closed the connection. Is it PostgreSQL that listens there?`,
    );
  }
  return problem("DATABASE_ERROR", `${whereIs(target)} answered: ${message}`);
}

/** An SQL identifier to paste: quoted only where it must be. */
export function quote(identifier: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(identifier) ? identifier : `"${identifier.replaceAll('"', '""')}"`;
}

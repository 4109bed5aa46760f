// The one table of settings: it gives parsing, the masked print-out and the settings page of the documents.
// Nothing else reads the environment. An error names the setting and never repeats a secret.
import { inspectApiKey } from "../security/api-keys.ts";
import { type AllowTargets, parseAllowTargets } from "../security/addresses/allow-targets.ts";
import { openMasterKey } from "../security/master-key.ts";
import { nearestNames } from "@posthorn/contract";
import {
  isEmail,
  type MailAddress,
  type MailServer,
  type MailUrl,
  parseMailFrom,
  parseMailUrl,
} from "./mail-server.ts";
import { MASK } from "./masking.ts";

/** What `serve` runs with. */
export interface Settings {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly processes: number;
  readonly dataDir: string;
  /** Undefined: the embedded database. May hold a password. */
  readonly databaseUrl: string | undefined;
  /** 32 bytes in base64, checked. Undefined: the key in the data directory. */
  readonly masterKey: string | undefined;
  readonly bootstrapApiKey: string | undefined;
  readonly allowTargets: AllowTargets;
  readonly logLevel: LogLevel;
  /** Undefined: /metrics takes keys with the scope `operator` only. */
  readonly metricsToken: string | undefined;
  /** Address of a collector, without the path for traces. Undefined: no spans are made. */
  readonly otlpEndpoint: string | undefined;
  /** Name and value in turn. */
  readonly otlpHeaders: readonly string[] | undefined;
  /** Undefined: nobody is told by e-mail. Holds a password. */
  readonly smtpUrl: MailUrl | undefined;
  readonly mailFrom: (MailAddress & { readonly text: string }) | undefined;
  /** Of the first tenant. */
  readonly administratorEmail: string | undefined;
}

/** The mail server, where one is set. */
export function mailServerOf({ smtpUrl, mailFrom }: Settings): MailServer | undefined {
  return smtpUrl === undefined || mailFrom === undefined ? undefined : { ...smtpUrl, from: mailFrom };
}

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Parsed<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly message: string };

export interface Setting<Value = unknown> {
  /** The environment variable. */
  readonly env: string;
  /** The option of `serve`, without its dashes; it wins over the variable. */
  readonly flag: string;
  /** What holds when neither is given, as it would be written; undefined where that means something of its own. */
  readonly default: string | undefined;
  readonly secret: boolean;
  /** One or two sentences for a person. */
  readonly description: string;
  readonly parse: (text: string) => Parsed<Value>;
}

/** More nodes than lanes would have nothing to do; long before that the database has no connections left. */
const MAX_PROCESSES = 64;

type SettingTable = { readonly [Name in keyof Settings]-?: Setting<Exclude<Settings[Name], undefined>> };

const valid = <Value>(value: Value): Parsed<Value> => ({ ok: true, value });
const invalid = (message: string): { readonly ok: false; readonly message: string } => ({ ok: false, message });

export const SETTINGS: SettingTable = {
  host: {
    env: "POSTHORN_HOST",
    flag: "host",
    default: "127.0.0.1",
    secret: false,
    description: "The address to listen on. 0.0.0.0 or :: makes the API reachable from other machines.",
    parse: valid,
  },
  port: {
    env: "POSTHORN_PORT",
    flag: "port",
    default: "8420",
    secret: false,
    description: "The port to listen on; 0 lets the system choose one.",
    parse: (text) =>
      /^\d{1,5}$/.test(text) && Number(text) <= 65_535
        ? valid(Number(text))
        : invalid(`must be a number from 0 to 65535, not "${text}".`),
  },
  processes: {
    env: "POSTHORN_PROCESSES",
    flag: "processes",
    default: "1",
    secret: false,
    description:
      "How many processes serve on this port, each a whole node with its share of the webhooks: one for each core that Posthorn may have. Each takes some 100 MB and up to 18 connections of the database. One that dies is started again.",
    parse: (text) =>
      /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_PROCESSES
        ? valid(Number(text))
        : invalid(`must be a number from 1 to ${MAX_PROCESSES}, not "${text}".`),
  },
  dataDir: {
    env: "POSTHORN_DATA_DIR",
    flag: "data-dir",
    default: "./.posthorn",
    secret: false,
    description: "Where the embedded database and the master key live. Not used for data when DATABASE_URL is set.",
    parse: valid,
  },
  databaseUrl: {
    env: "DATABASE_URL",
    flag: "database-url",
    default: undefined,
    secret: true,
    description: "A PostgreSQL 15 to 18 of your own. Without it, Posthorn starts the one that it brings.",
    parse: parseDatabaseUrl,
  },
  masterKey: {
    env: "POSTHORN_MASTER_KEY",
    flag: "master-key",
    default: undefined,
    secret: true,
    description:
      "32 bytes in base64 that encrypt the secrets in the database. Required with DATABASE_URL; otherwise made at the first start and kept in the data directory.",
    parse: (text) => {
      const result = openMasterKey(text, "");
      return result.ok ? valid(text) : invalid(result.message.trimStart());
    },
  },
  bootstrapApiKey: {
    env: "POSTHORN_BOOTSTRAP_API_KEY",
    flag: "bootstrap-api-key",
    default: undefined,
    secret: true,
    description:
      "The administrator's API key of the first tenant, 20 characters or more. Read at the first start only; without it a key is made and printed once.",
    parse: (text) => {
      const kind = inspectApiKey(text);
      if (kind === "malformed") return invalid("must have 20 to 512 printable ASCII characters and no spaces.");
      if (kind === "mistyped") {
        return invalid("looks like a key that Posthorn made, but its checksum does not hold: it was mistyped.");
      }
      return valid(text);
    },
  },
  allowTargets: {
    env: "POSTHORN_ALLOW_TARGETS",
    flag: "allow-targets",
    default: "",
    secret: false,
    description:
      "Comma list of host:port, IP or CIDR that deliveries may reach although they are private, plain http:// included. Empty: public addresses over https only.",
    parse: (text) => {
      const result = parseAllowTargets(text);
      return result.ok ? valid(result.targets) : invalid(result.error.replace(/^POSTHORN_ALLOW_TARGETS: /, ""));
    },
  },
  logLevel: {
    env: "POSTHORN_LOG_LEVEL",
    flag: "log-level",
    default: "info",
    secret: false,
    description: `How much is logged: ${LOG_LEVELS.join(", ")}.`,
    parse: (text) => {
      const level = LOG_LEVELS.find((each) => each === text.toLowerCase());
      return level === undefined ? invalid(`must be one of ${LOG_LEVELS.join(", ")}, not "${text}".`) : valid(level);
    },
  },
  metricsToken: {
    env: "POSTHORN_METRICS_TOKEN",
    flag: "metrics-token",
    default: undefined,
    secret: true,
    description:
      "Opens /metrics to whoever sends it as Authorization: Bearer, also while the database is away; 20 to 512 printable characters, the same for every node. Without it, /metrics wants an API key with the scope operator.",
    parse: (text) =>
      /^[\x21-\x7e]{20,512}$/.test(text)
        ? valid(text)
        : invalid("must have 20 to 512 printable ASCII characters and no spaces."),
  },
  otlpEndpoint: {
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    flag: "otlp-endpoint",
    default: undefined,
    secret: false,
    description:
      "Address of an OpenTelemetry collector, such as http://127.0.0.1:4318. Spans of traces go to its /v1/traces, by OTLP over HTTP in JSON. Without it no spans are made.",
    parse: (text) => {
      const url = URL.canParse(text) ? new URL(text) : null;
      return (url?.protocol === "http:" || url?.protocol === "https:") && url.username === "" && url.search === ""
        ? valid(text.replace(/\/+$/, ""))
        : invalid("must look like http://127.0.0.1:4318, without a user or a query.");
    },
  },
  otlpHeaders: {
    env: "OTEL_EXPORTER_OTLP_HEADERS",
    flag: "otlp-headers",
    default: undefined,
    secret: true,
    description:
      "Headers that the collector asks for, as name=value with commas between them, values percent-encoded where they hold a comma.",
    parse: parseOtlpHeaders,
  },
  smtpUrl: {
    env: "POSTHORN_SMTP_URL",
    flag: "smtp-url",
    default: undefined,
    secret: true,
    description:
      "The mail server for digests of operational events: smtp://user:password@mail.example.com:587 (STARTTLS, required with a password) or smtps://…:465, user and password percent-encoded. Needs POSTHORN_MAIL_FROM. Without it nobody is told by e-mail.",
    parse: (text) => {
      const url = parseMailUrl(text);
      return url === null ? invalid("must look like smtp://user:password@host:587 or smtps://host.") : valid(url);
    },
  },
  mailFrom: {
    env: "POSTHORN_MAIL_FROM",
    flag: "mail-from",
    default: undefined,
    secret: false,
    description: "The sender of digests: posthorn@example.com, or Posthorn <posthorn@example.com>.",
    parse: (text) => {
      const from = parseMailFrom(text);
      return from === null
        ? invalid("must look like posthorn@example.com or Posthorn <posthorn@example.com>.")
        : valid({ ...from, text });
    },
  },
  administratorEmail: {
    env: "POSTHORN_ADMINISTRATOR_EMAIL",
    flag: "administrator-email",
    default: undefined,
    secret: false,
    description:
      "The e-mail address of the first tenant's administrator, who gets its digests unless others are chosen. Read at the first start only; later it is PATCH /v1/tenants/current.",
    parse: (text) => (isEmail(text) ? valid(text) : invalid("must be one e-mail address, such as it@example.com.")),
  },
};

function parseOtlpHeaders(text: string): Parsed<readonly string[]> {
  const headers: string[] = [];
  for (const part of text.split(",")) {
    const match = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([\x20-\x7e]*)$/.exec(part);
    if (match === null) return invalid("must look like name=value,other=value.");
    const value = decoded((match[2] as string).trim());
    // What is decoded must still fit into a header.
    if (value === null || !/^[\x20-\x7e]*$/.test(value)) {
      return invalid(`has a value for ${match[1]} that is not percent-encoded printable ASCII.`);
    }
    headers.push((match[1] as string).toLowerCase(), value);
  }
  return valid(headers);
}

/** Variables of the commands that talk to a server; `serve` ignores them. */
const OF_THE_CLI = ["POSTHORN_URL", "POSTHORN_API_KEY"];
const OF_THE_TESTS = "POSTHORN_TEST_";

export interface SettingError {
  /** The variable, or the flag with its dashes, as it was given. */
  readonly setting: string;
  readonly code: "UNKNOWN_SETTING" | "INVALID_SETTING";
  readonly message: string;
}

export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly errors: readonly SettingError[] };

/**
 * Reads all settings: a flag wins over its variable, an empty variable counts as absent.
 * A variable that begins with POSTHORN_ and is none of ours is an error: a misspelt setting must not be a silent default.
 * @param flags by name without dashes, as `util.parseArgs` gives them
 * @returns every error at once
 */
export function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {},
): SettingsResult {
  const errors: SettingError[] = [...unknownVariables(env), ...unknownFlags(flags)];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(SETTINGS)) {
    const flag = flags[setting.flag];
    const given = flag ?? (env[setting.env] || undefined);
    const text = given ?? setting.default;
    if (text === undefined) continue;
    const parsed = setting.parse(text);
    const shownName = flag === undefined ? setting.env : `--${setting.flag}`;
    if (parsed.ok) values[name] = parsed.value;
    else errors.push({ setting: shownName, code: "INVALID_SETTING", message: `${shownName} ${parsed.message}` });
  }
  if (values["smtpUrl"] !== undefined && values["mailFrom"] === undefined && errors.length === 0) {
    const setting = SETTINGS.mailFrom.env;
    const message = `${setting} must be given with ${SETTINGS.smtpUrl.env}.`;
    errors.push({ setting, code: "INVALID_SETTING", message });
  }
  if (errors.length > 0) return { ok: false, errors };
  // Every name of the table was parsed, or is one whose type allows it to be absent.
  return { ok: true, settings: values as unknown as Settings };
}

/** A setting in force, to be shown. */
export interface ShownSetting {
  /** In the table. */
  readonly name: string;
  readonly env: string;
  readonly flag: string;
  /** Masked when it is a secret; empty when there is none. */
  readonly value: string;
  readonly from: SettingSource;
}

export type SettingSource = "flag" | "environment" | "default";

/**
 * The settings in force, secrets masked, and where each comes from.
 * @param settings as `readSettings` made them of this very environment and these flags
 */
export function printableSettings(
  settings: Settings,
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>>,
): ShownSetting[] {
  return Object.entries<Setting>(SETTINGS).map(([name, setting]) => ({
    name,
    env: setting.env,
    flag: setting.flag,
    value: shownValue(setting, settings[name as keyof Settings]),
    from: sourceOf(setting, env, flags),
  }));
}

function shownValue(setting: Setting, value: Settings[keyof Settings]): string {
  if (value === undefined) return "";
  if (setting.secret) return MASK;
  if (typeof value === "object") return "text" in value ? value.text : "";
  return String(value);
}

/** The same order as in `readSettings`. */
function sourceOf(
  setting: Setting,
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>>,
): SettingSource {
  if (flags[setting.flag] !== undefined) return "flag";
  return env[setting.env] ? "environment" : "default";
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): SettingError[] {
  const known = [...Object.values<Setting>(SETTINGS).map((setting) => setting.env), ...OF_THE_CLI];
  return Object.keys(env)
    .filter((name) => name.startsWith("POSTHORN_") && !name.startsWith(OF_THE_TESTS) && !known.includes(name))
    .map((name) => unknown(name, nearestNames(name, known, 1)));
}

function unknownFlags(flags: Readonly<Record<string, string | undefined>>): SettingError[] {
  const known = Object.values<Setting>(SETTINGS).map((setting) => setting.flag);
  return Object.keys(flags)
    .filter((name) => !known.includes(name))
    .map((name) =>
      unknown(
        `--${name}`,
        nearestNames(name, known, 1).map((each) => `--${each}`),
      ),
    );
}

function unknown(setting: string, nearest: readonly string[]): SettingError {
  const hint = nearest[0] === undefined ? "Remove it." : `Did you mean ${nearest[0]}?`;
  return { setting, code: "UNKNOWN_SETTING", message: `There is no setting ${setting}. ${hint}` };
}

function parseDatabaseUrl(text: string): Parsed<string> {
  const isUrl = URL.canParse(text) && /^postgres(ql)?:\/\//i.test(text);
  return isUrl ? valid(text) : invalid("must look like postgres://user:password@host:5432/database.");
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

// Proves the table of settings: defaults, precedence, every refusal by name, and that no secret is repeated.
import { describe, expect, test } from "vitest";
import { printableSettings, readSettings, SETTINGS, type Setting } from "../../src/lib/settings.ts";

const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");

function errorsOf(env: Record<string, string>, flags: Record<string, string> = {}) {
  const result = readSettings(env, flags);
  return result.ok ? [] : result.errors;
}

function settingsOf(env: Record<string, string>, flags: Record<string, string> = {}) {
  const result = readSettings(env, flags);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.settings;
}

test("with nothing given everything has its published default", () => {
  expect(settingsOf({ PATH: "/bin" })).toEqual({
    host: "127.0.0.1",
    port: 8420,
    processes: 1,
    dataDir: "./.posthorn",
    allowTargets: expect.objectContaining({ text: "" }) as unknown,
    logLevel: "info",
  });
});

test("every setting can come from its variable, and its flag wins", () => {
  const env = {
    POSTHORN_HOST: "0.0.0.0",
    POSTHORN_PORT: "9000",
    POSTHORN_PROCESSES: "4",
    POSTHORN_DATA_DIR: "/data",
    DATABASE_URL: "postgres://u:p@db/posthorn",
    POSTHORN_MASTER_KEY: MASTER_KEY,
    POSTHORN_BOOTSTRAP_API_KEY: "correct-horse-battery",
    POSTHORN_ALLOW_TARGETS: "localhost:3000, 10.0.0.0/8",
    POSTHORN_LOG_LEVEL: "WARN",
    POSTHORN_METRICS_TOKEN: "a-token-for-the-scraper",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318/",
    OTEL_EXPORTER_OTLP_HEADERS: "X-Key=a%2Cb, x-other=c",
    POSTHORN_SMTP_URL: "smtp://ann%40acme.example:p%3Aw@mail.acme.example",
    POSTHORN_MAIL_FROM: "Posthorn at Acme <posthorn@acme.example>",
    POSTHORN_ADMINISTRATOR_EMAIL: "it@acme.example",
  };
  expect(Object.keys(env)).toEqual(Object.values<Setting>(SETTINGS).map((setting) => setting.env));
  expect(settingsOf(env)).toMatchObject({
    host: "0.0.0.0",
    port: 9000,
    processes: 4,
    dataDir: "/data",
    databaseUrl: "postgres://u:p@db/posthorn",
    masterKey: MASTER_KEY,
    bootstrapApiKey: "correct-horse-battery",
    allowTargets: { text: "10.0.0.0/8,localhost:3000" },
    logLevel: "warn",
    metricsToken: "a-token-for-the-scraper",
    otlpEndpoint: "http://127.0.0.1:4318",
    otlpHeaders: ["x-key", "a,b", "x-other", "c"],
    smtpUrl: { host: "mail.acme.example", port: 587, isTlsAtOnce: false, user: "ann@acme.example", password: "p:w" },
    mailFrom: { name: "Posthorn at Acme", address: "posthorn@acme.example" },
    administratorEmail: "it@acme.example",
  });
  const flags = {
    host: "::",
    port: "0",
    "data-dir": "d",
    "log-level": "debug",
    "database-url": "postgresql:///x?host=/run",
  };
  expect(settingsOf(env, flags)).toMatchObject({
    host: "::",
    port: 0,
    dataDir: "d",
    logLevel: "debug",
    databaseUrl: "postgresql:///x?host=/run",
  });
});

test("a mail server needs a sender, and is refused where it is not plainly one; its password is never repeated", () => {
  const from = "Acme <posthorn@acme.example>";
  const messageOf = (url: string, sender: string | undefined = from): string => {
    const result = readSettings({ POSTHORN_SMTP_URL: url, POSTHORN_MAIL_FROM: sender });
    return result.ok ? "" : result.errors.map(({ message }) => message).join(" ");
  };
  expect(messageOf("smtps://mail.acme.example")).toBe("");
  expect(messageOf("smtp://[::1]:25", "posthorn@acme.example")).toBe("");
  expect(messageOf("smtp://mail.acme.example", "")).toBe("POSTHORN_MAIL_FROM must be given with POSTHORN_SMTP_URL.");
  for (const url of [
    "http://mail",
    "mail.acme.example",
    "smtp://u:hunter2@h/path",
    "smtp://u:hunter2@h?tls=no",
    "smtp://u:hunter2%ZZ@h",
  ]) {
    expect(messageOf(url), url).toContain("must look like smtp://");
    expect(messageOf(url)).not.toContain("hunter2");
  }
  for (const sender of [
    "Acme",
    "a@b@c.example",
    '"x y"@acme.example',
    "a@acme.example, b@acme.example",
    "A\r\nBcc: x <a@b.example>",
  ]) {
    expect(messageOf("smtp://mail.acme.example", sender), sender).toContain("POSTHORN_MAIL_FROM must look like");
  }
});

test("an empty variable counts as absent", () => {
  expect(settingsOf({ POSTHORN_PORT: "", DATABASE_URL: "", POSTHORN_MASTER_KEY: "" })).toMatchObject({ port: 8420 });
});

describe("a value that cannot be", () => {
  test.each([
    ["POSTHORN_PORT", "65536"],
    ["POSTHORN_PORT", "80a"],
    ["POSTHORN_PORT", "-1"],
    ["DATABASE_URL", "mysql://u:hunter2hunter2@h/d"],
    ["DATABASE_URL", "localhost:5432 hunter2hunter2"],
    ["POSTHORN_MASTER_KEY", "hunter2hunter2"],
    ["POSTHORN_BOOTSTRAP_API_KEY", "hunter2hunter2"],
    ["POSTHORN_BOOTSTRAP_API_KEY", "hunter2hunter2 with spaces"],
    ["POSTHORN_BOOTSTRAP_API_KEY", "blg_live_sk_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"],
    ["POSTHORN_ALLOW_TARGETS", "*.example.com"],
    ["POSTHORN_LOG_LEVEL", "loud"],
  ])("of %s is refused by that name: %s", (name, value) => {
    const errors = errorsOf({ [name]: value });
    expect(errors).toEqual([
      { setting: name, code: "INVALID_SETTING", message: expect.stringMatching(`^${name} `) as string },
    ]);
    expect(JSON.stringify(errors)).not.toContain("hunter2");
  });

  test("of a flag is refused by the flag's name", () => {
    expect(errorsOf({}, { port: "x" })).toMatchObject([{ setting: "--port", code: "INVALID_SETTING" }]);
  });

  test("does not hide the next: all are told at once", () => {
    expect(errorsOf({ POSTHORN_PORT: "x", POSTHORN_LOG_LEVEL: "y", POSTHORN_X: "z" })).toHaveLength(3);
  });
});

describe("an unknown name", () => {
  test.each([
    ["POSTHORN_PROT", "POSTHORN_PORT"],
    ["POSTHORN_ALLOWED_TARGETS", "POSTHORN_ALLOW_TARGETS"],
    ["POSTHORN_LOGLEVEL", "POSTHORN_LOG_LEVEL"],
  ])("%s is refused with the nearest known one", (name, nearest) => {
    expect(errorsOf({ [name]: "1" })).toEqual([
      { setting: name, code: "UNKNOWN_SETTING", message: `There is no setting ${name}. Did you mean ${nearest}?` },
    ]);
  });

  test("far from all others gets no suggestion", () => {
    expect(errorsOf({ POSTHORN_SOMETHING_ELSE_ENTIRELY: "1" })[0]?.message).toContain("Remove it.");
  });

  test("of a flag is refused with its dashes", () => {
    expect(errorsOf({}, { datadir: "x" })[0]?.message).toBe("There is no setting --datadir. Did you mean --data-dir?");
  });

  test("is no error when it belongs to the tests, to the CLI's other commands, or to somebody else", () => {
    const env = {
      POSTHORN_TEST_DATABASE_URL: "x",
      POSTHORN_URL: "x",
      POSTHORN_API_KEY: "x",
      POSTHORNS: "x",
      HOME: "x",
    };
    expect(errorsOf(env)).toEqual([]);
  });
});

test("the print-out masks every secret and says where each value comes from", () => {
  const env = {
    DATABASE_URL: "postgres://u:hunter2@db/posthorn",
    POSTHORN_MASTER_KEY: MASTER_KEY,
    POSTHORN_HOST: "",
    POSTHORN_PORT: "9000",
  };
  const flags = { port: "9001", "allow-targets": "localhost:3000" };
  const result = readSettings(env, flags);
  if (!result.ok) throw new Error(result.errors[0]?.message);
  const printed = printableSettings(result.settings, env, flags);
  expect(printed.map(({ env: variable, value, from }) => [variable, value, from])).toEqual([
    ["POSTHORN_HOST", "127.0.0.1", "default"],
    ["POSTHORN_PORT", "9001", "flag"],
    ["POSTHORN_PROCESSES", "1", "default"],
    ["POSTHORN_DATA_DIR", "./.posthorn", "default"],
    ["DATABASE_URL", "********", "environment"],
    ["POSTHORN_MASTER_KEY", "********", "environment"],
    ["POSTHORN_BOOTSTRAP_API_KEY", "", "default"],
    ["POSTHORN_ALLOW_TARGETS", "localhost:3000", "flag"],
    ["POSTHORN_LOG_LEVEL", "info", "default"],
    ["POSTHORN_METRICS_TOKEN", "", "default"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "", "default"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "", "default"],
    ["POSTHORN_SMTP_URL", "", "default"],
    ["POSTHORN_MAIL_FROM", "", "default"],
    ["POSTHORN_ADMINISTRATOR_EMAIL", "", "default"],
  ]);
  expect(JSON.stringify(printed)).not.toContain("hunter2");
  expect(JSON.stringify(printed)).not.toContain(MASTER_KEY);
});

test("every setting tells a person what it does", () => {
  for (const setting of Object.values<Setting>(SETTINGS)) expect(setting.description).toMatch(/^[A-Z0-9].{20,}\.$/);
});

// Applying webhooks on a real database: what is created, changed, left alone and deleted; all or nothing; twice the
// same is nothing; a dry run writes nothing; secrets are compared and never shown.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let tenant: string;
let key: string;

beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face?.close());
beforeEach(async () => {
  tenant = await face.addTenant(`tenant ${Math.random()}`);
  key = await face.addKey(tenant);
});

const ONE = { name: "One", url: "https://example.com/one", events: ["invoice.paid"] };
const TWO = { name: "Two", url: "https://example.com/two", events: ["invoice.*"] };
const FULL = {
  ...ONE,
  description: "Everything that can be said",
  method: "PUT",
  headers: { "X-Tag": "plain", "X-Secret-Token": "header-secret-1" },
  secret: "signing-secret-number-1",
  auth: { type: "basic", username: "ada", password: "auth-secret-1" },
  signature: { profiles: ["bigledger"] },
  filters: ["invoice.total > 100"],
  transform: { template: { b: "{{ invoice.id }}", a: 1 }, contentType: "application/json" },
  rateLimit: { limit: 100, per: "minute" },
  maxInFlight: 8,
  timeout: 20,
  retryPolicy: { maxRetries: 2 },
  allowedIps: ["192.0.2.0/24"],
  metadata: { owner: "integrations" },
};
const SECRETS = ["signing-secret-number-1", "auth-secret-1", "header-secret-1"];

async function apply(webhooks: readonly unknown[], options: { dryRun?: boolean; prune?: boolean } = {}, using = key) {
  const query = options.dryRun === undefined ? "" : `?dryRun=${options.dryRun}`;
  const body = { webhooks, ...(options.prune === undefined ? {} : { prune: options.prune }) };
  return face.call(using, "POST", `/webhooks/apply${query}`, body);
}

async function applied(webhooks: readonly unknown[], options: { dryRun?: boolean; prune?: boolean } = {}) {
  const answer = await apply(webhooks, options);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.data;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on
const actionsOf = (plan: readonly any[]) => plan.map(({ name, action }) => `${action} ${name}`);
const listed = async () => (await face.call(key, "GET", "/webhooks?limit=200")).body.data;

/** Every row of every table that an apply could touch. */
async function everything(): Promise<string> {
  const tables = ["webhook", "webhook_version", "secret", "tenant_key", "audit_entry", "config_version"];
  const rows = await Promise.all(
    tables.map(async (table) => (await face.owner.query(`select t::text as row from ${table} t order by 1`)).rows),
  );
  return JSON.stringify(rows);
}

describe("applying webhooks", () => {
  test("creates those that are not there and shows a generated secret once", async () => {
    const { plan, applied: done } = await applied([ONE, { ...TWO, secret: "your-secret-key" }]);
    expect(done).toBe(true);
    expect(actionsOf(plan)).toEqual(["create One", "create Two"]);
    expect(plan[0].id).toMatch(/^webhook_/);
    expect(plan[0].secret).toMatch(/^whsec_/);
    expect(plan[0].standardWebhooksSecret).toBe(plan[0].secret);
    expect(plan[0].changes).toEqual({
      name: { from: null, to: "One" },
      url: { from: null, to: ONE.url },
      events: { from: null, to: ONE.events },
    });
    expect(plan[1].secret).toBeUndefined();
    expect(plan[1].changes.secret).toEqual({ from: null, to: "********" });
    expect((await listed()).map((webhook: { name: string }) => webhook.name)).toEqual(["Two", "One"]);
  });

  test("twice changes nothing at all: no version, no time, no audit entry, no secret", async () => {
    await applied([FULL, TWO]);
    const before = await everything();
    const { plan, applied: done } = await applied([FULL, TWO]);
    expect(actionsOf(plan)).toEqual(["unchanged One", "unchanged Two"]);
    expect(plan.map((each: { changes: unknown }) => each.changes)).toEqual([{}, {}]);
    expect(done).toBe(true);
    expect(await everything()).toBe(before);
  });

  test("replaces the whole configuration: what the file leaves out is the default again", async () => {
    await applied([FULL]);
    const [before] = await listed();
    face.clock.atMs += 1_000;
    const { plan } = await applied([ONE]);
    expect(actionsOf(plan)).toEqual(["update One"]);
    expect(plan[0].changes.timeout).toEqual({ from: 20, to: 15 });
    expect(plan[0].changes.allowedIps).toEqual({ from: ["192.0.2.0/24"], to: null });
    expect(plan[0].changes.headers).toEqual({ from: { "X-Tag": "plain", "X-Secret-Token": "********" }, to: {} });
    const [after] = await listed();
    expect(after).toMatchObject({ id: before.id, version: 2, timeout: 15, headers: {}, metadata: {}, filters: [] });
    const { rows } = await face.owner.query("select purpose from secret where tenant_id = $1", [tenant]);
    expect(rows).toEqual([{ purpose: "signing" }]);
  });

  test("all changes of a file have one configuration version, and this node has read it", async () => {
    await applied([ONE]);
    const announcedBefore = face.announced.length;
    await applied([{ ...ONE, timeout: 5 }, TWO, { ...TWO, name: "Three" }]);
    const { rows } = await face.owner.query(
      "select distinct config_version::int as version from webhook where tenant_id = $1",
      [tenant],
    );
    expect(rows).toHaveLength(1);
    expect(face.announced.slice(announcedBefore)).toEqual([rows[0].version]);
  });

  test("says in words of fields what a default spelt out would change: nothing", async () => {
    await applied([ONE]);
    const spelt = {
      ...ONE,
      method: "POST",
      timeout: 15,
      maxInFlight: 64,
      priority: "normal",
      headers: {},
      filters: [],
      auth: { type: "none" },
    };
    expect(actionsOf((await applied([spelt])).plan)).toEqual(["unchanged One"]);
    expect((await listed())[0].version).toBe(1);
  });

  test("leaves alone whether a webhook is active unless the file says so", async () => {
    const { plan } = await applied([ONE]);
    await face.call(key, "PATCH", `/webhooks/${plan[0].id}`, { active: false });
    expect(actionsOf((await applied([ONE])).plan)).toEqual(["unchanged One"]);
    expect((await listed())[0].status).toBe("disabled");
    const woken = await applied([{ ...ONE, active: true }]);
    expect(woken.plan[0].changes).toEqual({ active: { from: false, to: true } });
    expect((await listed())[0]).toMatchObject({ status: "enabled", version: 1 });
  });

  test("deletes the others only when told to, after showing them", async () => {
    await applied([ONE, TWO]);
    await face.call(key, "POST", "/webhooks", { url: "https://example.com/nameless", events: ["*"] });
    expect(actionsOf((await applied([ONE])).plan)).toEqual(["unchanged One"]);
    const dry = await applied([ONE], { prune: true, dryRun: true });
    expect(actionsOf(dry.plan)).toEqual(["unchanged One", "delete Two", "delete null"]);
    expect(dry.plan[2].changes).toEqual({ url: { from: "https://example.com/nameless", to: null } });
    expect(await listed()).toHaveLength(3);
    await applied([ONE], { prune: true });
    expect((await listed()).map((webhook: { name: string }) => webhook.name)).toEqual(["One"]);
    expect((await applied([], { prune: true })).plan).toHaveLength(1);
    expect(await listed()).toEqual([]);
  });

  test("sees the webhooks of its own tenant and mode only", async () => {
    await applied([ONE]);
    const sandbox = await face.addKey(tenant, { livemode: false });
    const stranger = await face.addKey(await face.addTenant("stranger"));
    for (const other of [sandbox, stranger]) {
      const answer = await apply([ONE], { prune: true }, other);
      expect(actionsOf(answer.body.data.plan)).toEqual(["create One"]);
    }
    expect(await listed()).toHaveLength(1);
  });

  test("writes into the audit trail what was done and by which key", async () => {
    await applied([FULL]);
    await applied([{ ...FULL, timeout: 21 }]);
    await applied([], { prune: true });
    const { rows } = await face.owner.query("select action, change from audit_entry where tenant_id = $1 order by id", [
      tenant,
    ]);
    expect(rows.map((row) => row.action)).toEqual(["webhook.created", "webhook.updated", "webhook.deleted"]);
    expect(rows[1].change.timeout).toEqual({ from: 20, to: 21 });
    for (const secret of SECRETS) expect(JSON.stringify(rows)).not.toContain(secret);
  });
});

describe("a dry run", () => {
  test("shows the plan of creations, changes and deletions and writes nothing", async () => {
    await applied([FULL, TWO]);
    const before = await everything();
    const version = face.configuration.version;
    const changed = { ...FULL, secret: "signing-secret-number-2", timeout: 21 };
    const { plan, applied: done } = await applied([changed, { ...ONE, name: "Three" }], { dryRun: true, prune: true });
    expect(done).toBe(false);
    expect(actionsOf(plan)).toEqual(["update One", "create Three", "delete Two"]);
    expect(plan[0].changes).toEqual({ timeout: { from: 20, to: 21 }, secret: { from: "********", to: "********" } });
    expect(plan[1]).not.toHaveProperty("secret");
    expect(plan[1]).not.toHaveProperty("id");
    expect(await everything()).toBe(before);
    expect(face.configuration.version).toBe(version);
  });

  test("refuses what applying would refuse", async () => {
    expect((await apply([{ ...ONE, url: "ftp://example.com" }], { dryRun: true })).status).toBe(422);
  });
});

describe("secrets of a file", () => {
  test.each([
    ["secret", { ...FULL, secret: "signing-secret-number-2" }],
    ["auth", { ...FULL, auth: { ...FULL.auth, password: "auth-secret-2" } }],
    ["headers", { ...FULL, headers: { ...FULL.headers, "X-Secret-Token": "header-secret-2" } }],
  ])("a new text in %s is a change of this field, shown masked", async (field, changed) => {
    await applied([FULL]);
    const answer = await apply([changed]);
    expect(Object.keys(answer.body.data.plan[0].changes)).toEqual([field]);
    expect(JSON.stringify(answer.body)).not.toMatch(/secret-2|number-2|secret-1|number-1/);
    expect(actionsOf((await applied([changed])).plan)).toEqual(["unchanged One"]);
  });

  test("a secret that is left out stays, and so does one that is given as the mask", async () => {
    await applied([FULL]);
    const { secret: _secret, ...without } = FULL;
    expect(actionsOf((await applied([without])).plan)).toEqual(["unchanged One"]);
    const masked = {
      ...FULL,
      secret: "********",
      auth: { ...FULL.auth, password: "********" },
      headers: { ...FULL.headers, "X-Secret-Token": "********" },
    };
    expect(actionsOf((await applied([masked])).plan)).toEqual(["unchanged One"]);
    expect(actionsOf((await applied([FULL])).plan)).toEqual(["unchanged One"]);
  });

  test("the mask for a webhook that is new stands for nothing and is refused", async () => {
    const answer = await apply([TWO, { ...ONE, secret: "********", auth: { type: "bearer", token: "********" } }]);
    expect(answer.status).toBe(422);
    expect(answer.body.error.details.map((detail: { field: string }) => detail.field)).toEqual([
      "webhooks[1].secret",
      "webhooks[1].auth.token",
    ]);
    expect(await listed()).toEqual([]);
  });

  test("during a rotation both secrets leave it as it is; afterwards the file holds again", async () => {
    const { plan } = await applied([FULL]);
    const rotated = await face.call(key, "POST", `/webhooks/${plan[0].id}/secret/rotate`, {
      secret: "signing-secret-number-2",
      overlapSeconds: 60,
    });
    expect(rotated.status, JSON.stringify(rotated.body)).toBe(200);
    const before = await everything();
    expect(actionsOf((await applied([FULL])).plan)).toEqual(["unchanged One"]);
    expect(actionsOf((await applied([{ ...FULL, secret: "signing-secret-number-2" }])).plan)).toEqual([
      "unchanged One",
    ]);
    expect(await everything()).toBe(before);
    expect(actionsOf((await applied([{ ...FULL, secret: "signing-secret-number-3" }])).plan)).toEqual(["update One"]);
  });
});

describe("what is refused changes nothing", () => {
  test("every invalid field is named with its webhook, and none of the others is made", async () => {
    const wrong = { ...TWO, filters: ["invoice.total >"], events: ["invoice.payd"], timeout: 5 };
    const answer = await apply([ONE, wrong]);
    expect(answer.status).toBe(422);
    expect(answer.body.error.details).toMatchObject([
      { field: "webhooks[1].events[0]", code: "UNKNOWN_EVENT_TYPE" },
      { field: "webhooks[1].filters[0]", code: "INVALID_EXPRESSION" },
    ]);
    expect(await listed()).toEqual([]);
  });

  test("a name twice in the file", async () => {
    const answer = await apply([ONE, TWO, { ...TWO, name: "One" }]);
    expect(answer.status).toBe(422);
    expect(answer.body.error).toMatchObject({ code: "DUPLICATE_NAME", details: [{ field: "webhooks[2].name" }] });
    expect(await listed()).toEqual([]);
  });

  test("a name that several webhooks bear, with their ids", async () => {
    const ids = [];
    for (const path of ["a", "b"]) {
      const made = await face.call(key, "POST", "/webhooks", { ...ONE, url: `https://example.com/${path}` });
      ids.push(made.body.data.id);
    }
    const before = await everything();
    const answer = await apply([TWO, ONE]);
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({ code: "AMBIGUOUS_NAME", details: [{ field: "webhooks[1].name", ids }] });
    expect(await everything()).toBe(before);
  });

  test("a database that refuses the last of several leaves none", async () => {
    const { owner } = face.pools;
    await owner.query(`create function refuse_three() returns trigger language plpgsql as
      $$ begin if new.configuration ->> 'name' = 'Three' then raise 'not this one'; end if; return new; end $$`);
    await owner.query(
      "create trigger refuse_three before insert on webhook for each row execute function refuse_three()",
    );
    try {
      const before = await everything();
      const answer = await apply([ONE, TWO, { ...ONE, name: "Three" }]);
      expect(answer.status).toBe(500);
      expect(await everything()).toBe(before);
    } finally {
      await owner.query("drop trigger refuse_three on webhook");
      await owner.query("drop function refuse_three");
      face.errors.length = 0;
    }
  });
});

describe("changes at the same time", () => {
  test("two applies of the same new webhooks make each of them once", async () => {
    const answers = await Promise.all([apply([ONE, TWO]), apply([ONE, TWO]), apply([TWO, ONE])]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await listed()).toHaveLength(2);
  });

  test("what was changed since it was read is read again before it is written", async () => {
    const { plan } = await applied([ONE]);
    const answers = await Promise.all([
      apply([{ ...ONE, timeout: 5 }]),
      face.call(key, "PATCH", `/webhooks/${plan[0].id}`, { maxInFlight: 7 }),
      apply([{ ...ONE, timeout: 6 }]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const { rows } = await face.owner.query(
      "select version, configuration from webhook_version where tenant_id = $1 order by version",
      [tenant],
    );
    // Versions follow one another without a gap, whoever came first.
    expect(rows.map((row) => row.version)).toEqual(rows.map((_, index) => index + 1));
  });
});

// Scopes end to end: who hears is decided by company, branch, location, actor and source; the organisation is loaded by the
// API and follows the platform's own events, whatever order these come in.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  const loaded = await node.api("POST", "/v1/organisation/load", {
    branches: [
      { id: "b_kl", companyId: "c_one" },
      { id: "b_jb", companyId: "c_two" },
    ],
    locations: [{ id: "l_kl", branchId: "b_kl" }],
    employees: [{ id: "e_1", departments: ["Sales"], teams: ["north"] }],
    users: [{ id: "u_1", employeeId: "e_1" }, { id: "u_2" }],
    asOf: "2026-01-01T00:00:00Z",
  });
  expect(loaded.body.data).toEqual({ changed: 6, unchanged: 0, older: 0 });
});
afterAll(() => node?.stop());

async function heardOf(scope: object, event: object): Promise<{ heard: boolean; reason: string | null }> {
  const url = "https://receiver.example.com/x";
  const made = await node.api("POST", "/v1/webhooks", { url, events: ["invoice.paid"], scope });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  expect(made.body.data.scope).toEqual(scope);
  const published = await node.api("POST", "/v1/events", { event: "invoice.paid", ...event });
  const preview = await node.api("POST", "/v1/preview", {
    webhook: made.body.data.id,
    event: { event: "invoice.paid", ...event },
  });
  await node.api("DELETE", `/v1/webhooks/${made.body.data.id}`);
  const heard = published.body.data.deliveries === 1;
  // What is shown is what was done.
  expect(preview.body.data.matched).toBe(heard);
  expect(preview.body.data.scope.inScope).toBe(heard);
  return { heard, reason: preview.body.data.scope.reason };
}

/** Nodes know of what was captured within two seconds. */
async function known(scope: object, event: object, inScope: boolean): Promise<void> {
  await until("the node to know", async () => {
    const webhook = { url: "https://receiver.example.com/x", events: ["invoice.paid"], scope };
    const preview = await node.api("POST", "/v1/preview", { webhook, event: { event: "invoice.paid", ...event } });
    return preview.body.data.scope.inScope === inScope;
  });
}

const context = (members: object) => ({ data: { object: {} }, context: members });

describe("a scope", () => {
  // Red when `outOfScope` is left out of `Matcher.match`.
  test.each([
    [{ companies: ["c_one"] }, context({ companyId: "c_one" }), true, ""],
    [{ companies: ["c_one"] }, context({ companyId: "c_two" }), false, "of the company c_two, not of c_one"],
    [{ companies: ["c_one"] }, context({ branchId: "b_kl" }), true, ""],
    [{ companies: ["c_one"] }, context({}), false, "names no company"],
    [{ companies: ["c_one"] }, { data: { object: { companyId: "c_one" } } }, true, ""],
    [{ companies: ["c_one"] }, { data: [1] }, false, "names no company"],
    [{ branches: ["b_kl"] }, context({ locationId: "l_kl" }), true, ""],
    [{ branches: ["b_kl"] }, { data: { object: { branch: { id: "b_kl" } } } }, true, ""],
    [{ branches: ["b_kl"] }, context({ branchId: "b_jb" }), false, "of the branch b_jb, not of b_kl"],
    [
      { branches: ["b_kl"] },
      context({ locationId: "l_new" }),
      false,
      "l_new is in no branch that the organisation knows",
    ],
    [{ locations: ["l_new"] }, context({ locationId: "l_new" }), true, ""],
    [{ locations: ["l_kl"] }, context({ branchId: "b_kl" }), false, "of the branch b_kl"],
    [{ branches: ["b_jb"], locations: ["l_kl"] }, context({ locationId: "l_kl" }), true, ""],
    [{ actors: { users: ["u_9"] } }, context({ userId: "u_9" }), true, ""],
    [{ actors: { teams: ["north"] } }, context({ userId: "u_1" }), true, ""],
    [{ actors: { departments: ["Sales"] } }, context({ employeeId: "e_1" }), true, ""],
    [{ actors: { employees: ["e_1"] } }, context({ userId: "u_1" }), true, ""],
    [
      { actors: { teams: ["south"] } },
      context({ userId: "u_1" }),
      false,
      "The user u_1 is in Sales, north, and is not of",
    ],
    [{ actors: { teams: ["north"] } }, context({ userId: "u_2" }), false, "in no department and no team"],
    [{ actors: { teams: ["north"] } }, context({ userId: "u_9" }), false, "not known in the organisation"],
    [{ actors: { teams: ["north"] } }, context({}), false, "names nobody"],
    [{ actors: { teams: ["north"], users: ["u_9"] } }, context({ userId: "u_9" }), true, ""],
    [{ sources: ["web", "pos"] }, context({ source: "pos" }), true, ""],
    [{ sources: ["web"] }, context({ source: "import" }), false, "came from import, not from web"],
    [{ sources: ["web"] }, { data: {} }, false, "names no source"],
    [
      { companies: ["c_one"], sources: ["web"] },
      context({ companyId: "c_one", source: "pos" }),
      false,
      "came from pos",
    ],
    [{ sources: ["__proto__"] }, context({ source: "constructor" }), false, "came from constructor"],
  ])("%j of %j: %s", async (scope, event, heard, reason) => {
    const found = await heardOf(scope, event);
    expect(found.heard).toBe(heard);
    expect(found.reason ?? "").toContain(reason);
  });

  test("is refused empty, with names nobody knows of, and by the field", async () => {
    const create = (scope: unknown) =>
      node.api("POST", "/v1/webhooks", { url: "https://receiver.example.com/x", events: ["invoice.paid"], scope });
    for (const [scope, field] of [
      [{}, "scope"],
      [{ actors: {} }, "scope.actors"],
      [{ companies: [] }, "scope.companies"],
      [{ company: ["c"] }, "scope.company"],
      [{ actors: { team: ["c"] } }, "scope.actors.team"],
    ] as const) {
      const answer = await create(scope);
      expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
    }
    const unrestricted = await create(null);
    expect([unrestricted.status, unrestricted.body.data.scope]).toEqual([201, null]);
    await node.api("DELETE", `/v1/webhooks/${unrestricted.body.data.id}`);
  });
});

describe("the organisation", () => {
  const entryOf = async (kind: string, id: string) => {
    const { data } = (await node.api("GET", `/v1/organisation?kind=${kind}&limit=200`)).body;
    return data.find((each: { id: string }) => each.id === id);
  };
  const publish = (event: string, object: object, timestamp: string) =>
    node.api("POST", "/v1/events", { event, data: { object }, timestamp });

  // Red when `as_of` is not compared in `merge`.
  test("follows the platform's events by their own time: an old one that comes late changes nothing", async () => {
    await publish("employee.updated", { id: "e_7", teams: ["new"], departments: ["Ops"] }, "2026-02-03T00:00:00Z");
    await until("the employee", async () => (await entryOf("employee", "e_7")) !== undefined);
    await publish("employee.updated", { id: "e_7", teams: ["old"] }, "2026-02-02T00:00:00Z");
    await publish("user.created", { id: "u_7", employeeId: "e_7" }, "2026-02-01T00:00:00Z");
    await until("the user", async () => (await entryOf("user", "u_7")) !== undefined);
    expect((await entryOf("employee", "e_7")).teams).toEqual(["new"]);
    await known({ actors: { teams: ["new"] } }, context({ userId: "u_7" }), true);
    expect((await heardOf({ actors: { teams: ["new"] } }, context({ userId: "u_7" }))).heard).toBe(true);
    await publish("employee.updated", { id: "e_7", teams: ["newer"] }, "2026-02-04T00:00:00Z");
    await until("the team", async () => (await entryOf("employee", "e_7")).teams[0] === "newer");
    // What it does not say stays.
    expect((await entryOf("employee", "e_7")).departments).toEqual(["Ops"]);
    await known({ actors: { teams: ["new"] } }, context({ userId: "u_7" }), false);
    expect((await heardOf({ actors: { teams: ["new"] } }, context({ userId: "u_7" }))).heard).toBe(false);
  });

  test("a load is no news the second time, and loses against what is known of later", async () => {
    const load = (teams: string[], asOf: string) =>
      node.api("POST", "/v1/organisation/load", { employees: [{ id: "e_8", teams }], asOf });
    expect((await load(["a"], "2026-03-01T00:00:00Z")).body.data).toEqual({ changed: 1, unchanged: 0, older: 0 });
    expect((await load(["a"], "2026-03-02T00:00:00Z")).body.data).toEqual({ changed: 0, unchanged: 1, older: 0 });
    expect((await load(["b"], "2026-03-01T12:00:00Z")).body.data).toEqual({ changed: 0, unchanged: 0, older: 1 });
    const gone = await node.api("DELETE", "/v1/organisation/e_8?kind=employee");
    expect(gone.body.data).toEqual({ kind: "employee", id: "e_8", deleted: true });
    expect((await node.api("DELETE", "/v1/organisation/e_8?kind=employee")).status).toBe(404);
    expect((await heardOf({ actors: { teams: ["a"] } }, context({ employeeId: "e_8" }))).reason).toContain("not known");
    const { data } = (await node.api("GET", "/v1/audit?limit=200")).body;
    const actions = data.map((each: { action: string }) => each.action);
    expect(actions).toContain("organisation.loaded");
    expect(actions).toContain("organisation.removed");
  });

  test("what a killed node left undone is taken up by the next", async () => {
    // As if it had been stored and not followed.
    const published = await publish("employee.updated", { id: "e_9", teams: ["late"] }, "2026-02-03T00:00:00Z");
    expect(published.status).toBe(202);
    await until("the employee", async () => (await entryOf("employee", "e_9")) !== undefined);
    await node.sql("delete from organisation_entry where id = 'e_9'");
    expect(await entryOf("employee", "e_9")).toBeUndefined();
    await node.startAnother();
    await until("the employee", async () => (await entryOf("employee", "e_9")) !== undefined);
  });

  test("an object that is no organisation says nothing, and breaks nothing", async () => {
    for (const object of [[], { id: 5 }, { id: "" }, { id: "a\u0000b" }, { id: "x".repeat(300) }]) {
      expect((await publish("employee.updated", object, "2026-02-03T00:00:00Z")).status).toBe(202);
    }
    await publish("employee.updated", { id: "e_last", teams: [{ id: "t" }, 5, "u"] }, "2026-02-03T00:00:00Z");
    await until("the last", async () => (await entryOf("employee", "e_last")) !== undefined);
    expect((await entryOf("employee", "e_last")).teams).toEqual(["t", "u"]);
  });

  test("workflow transitions carry process, from, to, actor and resolution, and filters see all of it", async () => {
    const filters = [
      'workflow.process == "purchase_approval" && workflow.from == "manager_review" && workflow.to == "finance_review"',
      'workflow.actor.userId == "user_4402" && workflow.resolution == "approved" && workflow.document.total > 10000',
      'changedFrom(workflow.from, "submitted")',
    ];
    const preview = await node.api("POST", "/v1/preview", {
      webhook: { url: "https://receiver.example.com/x", events: ["workflow.transitioned"], filters },
      event: { example: "workflow.transitioned" },
    });
    expect(preview.body.data.matched, JSON.stringify(preview.body)).toBe(true);
  });
});

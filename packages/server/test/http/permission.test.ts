// Who may use which route: every entry of the table is asked, so that a new one cannot be forgotten.
import { formatId, idFromUuid, uuidFromId } from "@posthorn/contract";
import { describe, expect, test } from "vitest";
import { refusedByPermission } from "../../src/http/permission.ts";
import type { Principal } from "../../src/http/principal.ts";
import type { Route } from "../../src/http/route-entry.ts";
import { routesToRead } from "../../src/http/routes.ts";
import { hasScope, type Scope, SCOPE_NAMES } from "../../src/http/scopes.ts";

const OWN_WEBHOOK = formatId("webhook", new Uint8Array(16).fill(7));
const OTHER_WEBHOOK = formatId("webhook", new Uint8Array(16).fill(8));

function principal(changes: Partial<Principal> = {}): Principal {
  const uuid = "01890000-0000-7000-8000-000000000001";
  return {
    tenantId: idFromUuid("tenant", uuid),
    tenantUuid: uuid,
    keyId: idFromUuid("apiKey", uuid),
    livemode: true,
    companyId: null,
    scopes: ["admin"],
    webhookUuid: null,
    captureLimitPerSecond: null,
    tenantCaptureLimitPerSecond: null,
    retentionClass: 90,
    unknownEventTypes: "refused",
    ...changes,
  };
}

const routes = routesToRead();
const nameOf = (route: Route): string => `${route.method} ${route.path}`;
const codeOf = (route: Route, who: Principal, params: Record<string, string> = {}) =>
  refusedByPermission(route, who, params)?.details?.[0]?.code ?? refusedByPermission(route, who, params)?.code ?? null;

describe("scopes", () => {
  test("admin holds all but operator; operator holds nothing else; an unknown one means nothing", () => {
    for (const scope of SCOPE_NAMES) {
      expect(hasScope(["admin"], scope)).toBe(scope !== "operator");
      expect(hasScope(["operator"], scope)).toBe(scope === "operator");
      expect(hasScope(["*", "root", "write:*"], scope)).toBe(false);
    }
  });

  test.each(routes.map((route) => [nameOf(route), route] as const))(
    "%s is refused without its scope, and says which one",
    (_name, route) => {
      const others = SCOPE_NAMES.filter((scope: Scope) => scope !== route.scope && scope !== "admin");
      const refusal = refusedByPermission(route, principal({ scopes: others }), {});
      expect(refusal).toMatchObject({
        code: "FORBIDDEN",
        details: [{ code: "INSUFFICIENT_SCOPE", required_scope: route.scope, current_scopes: others }],
      });
      expect(refusedByPermission(route, principal({ scopes: [route.scope] }), {})).toBeNull();
    },
  );

  test("only tenants and nodes need operator, and they are all that admin does not reach", () => {
    const unreached = routes.filter((route) => codeOf(route, principal()) !== null);
    expect(unreached.map(nameOf)).toEqual([
      "GET /tenants",
      "POST /tenants",
      "GET /tenants/{id}",
      "PATCH /tenants/{id}",
      "GET /nodes",
    ]);
  });
});

describe("a webhook's own read key", () => {
  const readKey = principal({
    scopes: ["read:events", "read:webhooks"],
    webhookUuid: uuidFromId("webhook", OWN_WEBHOOK),
  });

  test.each(routes.filter((route) => route.allowsReadKey !== true).map((route) => [nameOf(route), route] as const))(
    "is refused at %s, even with every scope",
    (_name, route) => {
      const params = { id: OWN_WEBHOOK };
      expect(codeOf(route, readKey, params)).toBe("READ_KEY_REFUSED");
      expect(codeOf(route, { ...readKey, scopes: SCOPE_NAMES }, params)).toBe("READ_KEY_REFUSED");
    },
  );

  test("reads, and does nothing else", () => {
    const open = routes.filter((route) => route.allowsReadKey === true);
    expect(open.filter((route) => route.method !== "GET").map(nameOf)).toEqual([]);
    expect(open.filter((route) => !["read:events", "read:webhooks"].includes(route.scope)).map(nameOf)).toEqual([]);
  });

  test("finds no webhook but its own, below /webhooks/{id}", () => {
    const [some] = routes.filter((route) => route.path === "/webhooks/{id}" && route.method === "GET");
    const open = { ...(some as Route), allowsReadKey: true };
    expect(codeOf(open, readKey, { id: OWN_WEBHOOK })).toBeNull();
    for (const id of [OTHER_WEBHOOK, "webhook_x", "", OWN_WEBHOOK.replace("webhook", "evt")]) {
      expect(codeOf(open, readKey, { id })).toBe("NOT_FOUND");
    }
  });
});

test("what both modes share is changed by live keys only", () => {
  const sandbox = principal({ livemode: false, scopes: ["admin", "operator"] });
  const refused = routes.filter((route) => codeOf(route, sandbox) === "LIVE_KEY_REQUIRED").map(nameOf);
  expect(refused.toSorted()).toEqual([
    "DELETE /code-tables/{name}",
    "DELETE /companies/{id}",
    "DELETE /event-types/{name}",
    "DELETE /oauth-clients/{id}",
    "DELETE /organisation/{id}",
    "DELETE /rules/{name}",
    "GET /audit",
    "PATCH /code-tables/{name}",
    "PATCH /companies/{id}",
    "PATCH /digest",
    "PATCH /event-types/{name}",
    "PATCH /rules/{name}",
    "PATCH /tenants/current",
    "PATCH /tenants/{id}",
    "POST /code-tables",
    "POST /companies",
    "POST /digest/test",
    "POST /event-types",
    "POST /oauth-clients",
    "POST /organisation/load",
    "POST /rules",
    "POST /tenants",
  ]);
});

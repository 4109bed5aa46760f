// How a plan reads: which lines stand for which change, and that a control character never reaches the terminal.
import type { PlannedWebhook } from "@posthorn/client";
import { describe, expect, test } from "vitest";
import { hasChanges, planLines, summaryOf } from "../../src/files/plan-text.ts";

const plain = (_: string, text: string): string => text;
const planned = (action: PlannedWebhook["action"], changes: PlannedWebhook["changes"] = {}): PlannedWebhook => ({
  name: "One",
  action,
  changes,
  warnings: [],
});

describe("the lines of a plan", () => {
  test("a new webhook shows its fields, each item of a list on a line of its own", () => {
    const changes = {
      name: { from: null, to: "One" },
      url: { from: null, to: "https://example.com" },
      events: { from: null, to: ["invoice.paid", "invoice.sent"] },
      auth: { from: null, to: { type: "bearer", token: "********" } },
    };
    expect(planLines([planned("create", changes)], plain)).toEqual([
      "+ One",
      "    url         https://example.com",
      "    events      invoice.paid",
      "                invoice.sent",
      "    auth.type   bearer",
      "    auth.token  ********",
    ]);
  });

  test("a change shows what goes and what comes, and only that", () => {
    const changes = {
      timeout: { from: 15, to: 30 },
      filters: { from: ["a", "b"], to: ["b", "c"] },
      retryPolicy: { from: null, to: { maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 } },
      transform: { from: { template: { id: "{{ a }}", old: 1 } }, to: { template: { id: "{{ b }}" } } },
      metadata: { from: { owner: "x" }, to: {} },
    };
    expect(planLines([planned("update", changes)], plain)).toEqual([
      "~ One",
      "    timeout                        15 → 30",
      "    filters                        - a",
      "                                   + c",
      "    retryPolicy.maxRetries         + 2",
      "    retryPolicy.retryDelay         + 5",
      "    retryPolicy.backoffMultiplier  + 2",
      "    transform.template.id          {{ a }} → {{ b }}",
      "    transform.template.old         - 1",
      "    metadata.owner                 - x",
    ]);
  });

  test("a secret that changes is said, not shown", () => {
    const masked = { type: "bearer", token: "********" };
    const changes = { secret: { from: "********", to: "********" }, auth: { from: masked, to: masked } };
    expect(planLines([planned("update", changes)], plain)).toEqual([
      "~ One",
      "    secret  changed (a secret)",
      "    auth    changed (a secret)",
    ]);
  });

  test("another order of the same list is shown whole", () => {
    const changes = { filters: { from: ["a", "b"], to: ["b", "a"] } };
    expect(planLines([planned("update", changes)], plain)).toEqual(["~ One", "    filters  a, b → b, a"]);
  });

  test("what stays is one line, what goes names its address, also without a name", () => {
    const changes = { url: { from: "https://example.com", to: null } };
    const nameless = { ...planned("delete", changes), name: null, id: "webhook_1" };
    expect(planLines([planned("unchanged"), nameless], plain)).toEqual([
      "= One",
      "- webhook_1 (without a name)",
      "    url  https://example.com",
    ]);
  });

  test("control characters are made visible", () => {
    const lines = planLines(
      [{ ...planned("create", { description: { from: null, to: "a\u001b[31mb\nc" } }), name: "\u0007" }],
      plain,
    );
    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
  });
});

describe("the last line", () => {
  const plan = [planned("create"), planned("create"), planned("update"), planned("unchanged"), planned("delete")];
  test("counts what was done, or what would be", () => {
    expect(summaryOf(plan, true)).toBe("2 created, 1 changed, 1 deleted, 1 unchanged.");
    expect(summaryOf(plan, false)).toBe(
      "2 to create, 1 to change, 1 to delete, 1 unchanged. This was a dry run: nothing was changed.",
    );
    expect(summaryOf([], true)).toBe("No webhooks.");
    expect(hasChanges(plan)).toBe(true);
    expect(hasChanges([planned("unchanged")])).toBe(false);
  });
});

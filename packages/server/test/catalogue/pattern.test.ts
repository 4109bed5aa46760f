// Which patterns are well written, what they match, and what somebody is told who misspelt one.
import { describe, expect, test } from "vitest";
import { checkPattern, isEventTypeName, matchesPattern } from "../../src/catalogue/pattern.ts";

const KNOWN = ["invoice.created", "invoice.paid", "member.created", "member.tier.changed", "sale.completed"];

describe("matchesPattern", () => {
  test.each([
    ["*", "invoice.paid", true],
    ["*", "member.tier.changed", true],
    ["invoice.paid", "invoice.paid", true],
    ["invoice.paid", "invoice.paid_late", false],
    ["invoice.paid", "invoice.Paid", false],
    ["invoice.*", "invoice.paid", true],
    ["invoice.*", "invoices.paid", false],
    ["invoice.*", "invoice", false],
    ["invoice.*", "purchase.invoice.paid", false],
    ["member.*", "member.tier.changed", true],
    ["member.tier.*", "member.tier.changed", true],
    ["member.tier.*", "member.tier", false],
    ["member.tier.*", "member.created", false],
    ["sale.*", "sales_order.created", false],
  ])("%s against %s is %s", (pattern, type, expected) => {
    expect(matchesPattern(pattern, type)).toBe(expected);
  });
});

describe("checkPattern", () => {
  test("tells which known types a valid pattern covers", () => {
    expect(checkPattern("member.*", KNOWN)).toEqual({
      kind: "valid",
      names: ["member.created", "member.tier.changed"],
    });
    expect(checkPattern("invoice.paid", KNOWN)).toEqual({ kind: "valid", names: ["invoice.paid"] });
    expect(checkPattern("*", KNOWN)).toEqual({ kind: "valid", names: KNOWN });
  });

  test("accepts the bare star when no type is known yet", () => {
    expect(checkPattern("*", [])).toEqual({ kind: "valid", names: [] });
  });

  test.each([
    "",
    "**",
    "*.created",
    "invoice*",
    "invoice.*.paid",
    "invoice.**",
    ".*",
    "invoice.",
    ".paid",
    "a..b",
    "in voice.*",
    "invoice.*\n",
    "invoice/paid",
    "facture.payée",
    "x".repeat(129),
  ])("calls %j malformed and says why in a sentence", (pattern) => {
    const check = checkPattern(pattern, KNOWN);
    expect(check).toEqual({ kind: "malformed", problem: expect.stringMatching(/^[A-Z].*\.$/) });
  });

  test.each([
    ["invoice.payed", ["invoice.paid", "invoice.created"]],
    ["invoices.*", ["invoice.*"]],
    ["member.teir.*", ["member.tier.*", "member.*"]],
    ["nothing_like_it.at_all", []],
  ])("answers the unknown %s with the nearest patterns", (pattern, nearest) => {
    expect(checkPattern(pattern, KNOWN)).toEqual({ kind: "unknown", nearest });
  });

  test("understands a bare resource name as a wish for all of its events", () => {
    expect(checkPattern("invoice", KNOWN)).toEqual({ kind: "unknown", nearest: ["invoice.*"] });
  });
});

describe("isEventTypeName", () => {
  test.each([
    ["invoice.paid", true],
    ["ping", true],
    ["Member.Tier.Changed_2", true],
    ["", false],
    ["invoice.", false],
    ["invoice.*", false],
    ["a-b.c", false],
    ["a.b\n", false],
    [`a.${"b".repeat(126)}`, true],
    [`a.${"b".repeat(127)}`, false],
  ])("%j is %s", (text, expected) => {
    expect(isEventTypeName(text)).toBe(expected);
  });
});

// What a change of a webhook amounts to: its new status, the members that differ, whether the caller knew its state.
// Pure functions; what they return goes into the audit trail, so secret header values are masked here.
import { maskHeaders } from "../lib/masking.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";
import type { WebhookRow, WebhookStatus } from "./webhooks.sql.ts";

/** `active` decides between disabled and not; a paused webhook is active and stays paused. */
export function statusAfter(
  before: WebhookRow,
  active: boolean | null | undefined,
): { status: WebhookStatus; disabled_reason: string | null } {
  if (active === false) {
    return before.status === "disabled"
      ? { status: "disabled", disabled_reason: before.disabled_reason }
      : { status: "disabled", disabled_reason: "owner" };
  }
  if (active === undefined || before.status !== "disabled") {
    return { status: before.status, disabled_reason: before.disabled_reason };
  }
  return { status: "enabled", disabled_reason: null };
}

/** Members that differ, old and new, with secret header values masked. */
export function changesBetween(
  before: Partial<StoredConfiguration>,
  after: StoredConfiguration,
): Record<string, { from: unknown; to: unknown }> {
  const change: Record<string, { from: unknown; to: unknown }> = {};
  const members = new Set([...Object.keys(before), ...Object.keys(after)] as (keyof StoredConfiguration)[]);
  for (const member of members) {
    if (JSON.stringify(before[member]) === JSON.stringify(after[member])) continue;
    change[member] = { from: shownMember(member, before), to: shownMember(member, after) };
  }
  return change;
}

/** A member as the audit trail may have it; null when it is absent. */
export function shownMember(member: keyof StoredConfiguration, configuration: Partial<StoredConfiguration>): unknown {
  const value = configuration[member];
  if (value === undefined) return null;
  return member === "headers" ? maskHeaders(value as Record<string, string>) : value;
}

/** If-Match (RFC 9110, section 13.1.1): `*`, or a list of which one must match strongly; weak tags never do. */
export function matchesEtag(ifMatch: string | undefined, etag: string): boolean {
  if (ifMatch === undefined || ifMatch.trim() === "*") return true;
  return ifMatch.split(",").some((candidate) => candidate.trim() === etag);
}

// Whether a key may use a route at all: its scopes, its mode, and the narrow door for a webhook's own read key.
// Asked before a body is read; must never look at anything but the entry, the principal and the path.
import type { ErrorDetail } from "@posthorn/contract";
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { type Failure, failure } from "./answer.ts";
import type { Principal } from "./principal.ts";
import type { Route } from "./route-entry.ts";
import { hasScope, type Scope } from "./scopes.ts";

/**
 * @param params of the path, by name
 * @returns 403 with what is required and what is there, 404 for another webhook than the read key's own, or null
 */
export function refusedByPermission(
  route: Route,
  principal: Principal,
  params: Readonly<Record<string, string>>,
): Failure | null {
  if (principal.webhookUuid !== null) {
    const refusal = refusedForReadKey(route, principal.webhookUuid, params);
    if (refusal !== null) return refusal;
  }
  if (!hasScope(principal.scopes, route.scope)) return scopeFailure(route.scope, principal.scopes);
  if (route.needsLiveKey === true && !principal.livemode) return liveKeyFailure();
  return null;
}

/** 403: the scope that is missing, in the form of the published contract. */
export function scopeFailure(required: Scope, current: readonly string[]): Failure {
  const message = `This needs a key with the scope ${required}.`;
  return forbidden({ message, code: "INSUFFICIENT_SCOPE", required_scope: required, current_scopes: current });
}

/** 403: a sandbox key at what live mode relies on. */
export function liveKeyFailure(): Failure {
  return forbidden({
    message: "This concerns live mode too. Use a live key (blg_live_sk_…).",
    code: "LIVE_KEY_REQUIRED",
  });
}

/** 403: a key that is bound to a company or to addresses at one that would not be. */
export function boundsFailure(field: string, message: string): Failure {
  return forbidden({ field, message, code: "KEY_BOUNDS_EXCEEDED" });
}

function refusedForReadKey(
  route: Route,
  webhookUuid: string,
  params: Readonly<Record<string, string>>,
): Failure | null {
  if (route.allowsReadKey !== true) {
    return forbidden({
      message: "This key reads one webhook, its events and its deliveries, and nothing else. Use a key of the tenant.",
      code: "READ_KEY_REFUSED",
    });
  }
  if (!route.path.startsWith("/webhooks/{id}")) return null;
  const bytes = parseId("webhook", params["id"] ?? "");
  if (bytes !== null && uuidFromBytes(bytes) === webhookUuid) return null;
  return failure("NOT_FOUND", "There is no such webhook for this key: it reads the one that it was made for.");
}

function forbidden(detail: ErrorDetail): Failure {
  return failure("FORBIDDEN", detail.message, [detail]);
}

// Cursors of lists: opaque to clients, to us the key of the last row shown. Each list has a mark of its own, so that a
// cursor of one list is not taken by another.
import { uuidFromBytes } from "@posthorn/contract";

export type CursorKind =
  | "webhook"
  | "version"
  | "event"
  | "delivery"
  | "log"
  | "dead_letter"
  | "replay"
  | "parked_key"
  | "snapshot"
  | "type"
  | "api_key"
  | "company"
  | "organisation"
  | "route"
  | "route_version"
  | "tenant"
  | "node"
  | "module"
  | "audit"
  | "oauth_client"
  | "oauth_grant"
  | "rule"
  | "code_table"
  | "definition_version";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Above every id. */
export const HIGHEST_UUID = uuidFromBytes(new Uint8Array(16).fill(255));

export function encodeCursor(kind: CursorKind, key: string): string {
  return Buffer.from(`${kind}:${key}`).toString("base64url");
}

/** The key in a cursor of this list, or null when it is none. */
export function decodeCursor(kind: CursorKind, cursor: string): string | null {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  return text.startsWith(`${kind}:`) ? text.slice(kind.length + 1) : null;
}

/** The UUID in a cursor of this list, or null when it is none. */
export function decodeUuidCursor(kind: CursorKind, cursor: string): string | null {
  const key = decodeCursor(kind, cursor);
  return key !== null && UUID.test(key) ? key : null;
}

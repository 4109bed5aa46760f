// Who is asking: what a request knows about the key that it came with. Made by authenticate.ts, read by every handler.
import type { Id } from "@posthorn/contract";

export interface Principal {
  readonly tenantId: Id<"tenant">;
  /** The tenant's id as PostgreSQL writes it. */
  readonly tenantUuid: string;
  readonly keyId: Id<"apiKey">;
  /** False for sandbox keys; a key never sees what belongs to the other mode. */
  readonly livemode: boolean;
  /** The company that `X-Company-Id` or the key names; null for the whole tenant. */
  readonly companyId: string | null;
  readonly scopes: readonly string[];
  /** A webhook's own read key sees this webhook and nothing else; null for every other key. */
  readonly webhookUuid: string | null;
  readonly captureLimitPerSecond: number | null;
  readonly tenantCaptureLimitPerSecond: number | null;
  /** Days that events of this tenant are kept. */
  readonly retentionClass: number;
  readonly unknownEventTypes: "refused" | "open";
}

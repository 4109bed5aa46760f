// Who does something, and in which request: what a change needs to be permitted, attributed and audited.

/** On whose behalf something is done. */
export interface Actor {
  readonly tenantUuid: string;
  readonly livemode: boolean;
  /** `key_…`. */
  readonly keyId: string;
  readonly requestId: string;
  readonly unknownEventTypes: "refused" | "open";
}

// Routes between webhooks: what is written, and what is shown of them.

export interface RouteFields {
  /** Asked in their order; webhooks by id or name. */
  readonly steps: readonly { readonly when: string; readonly webhooks: readonly string[] }[];
  /** "first" unless given. */
  readonly matches?: "first" | "all";
  /** Who gets an event for which no step holds. */
  readonly default?: readonly string[];
  readonly description?: string;
  readonly owner?: string;
}

/** A version of a route, webhooks by id. */
export interface Route {
  readonly name: string;
  readonly version: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly fromConfigVersion: number;
  /** Null: it is in force. */
  readonly toConfigVersion: number | null;
  readonly steps: readonly { readonly when: string; readonly webhooks: readonly string[] }[];
  readonly matches: "first" | "all";
  readonly default: readonly string[];
  readonly description: string | null;
  readonly owner: string | null;
}

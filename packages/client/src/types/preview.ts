// What a preview shows.
import type { Warning } from "./webhook.ts";

/** Null: no answer, because something that it needs is missing. */
export type PreviewedResult = boolean | null;

export interface PreviewedFilter {
  /** Where it stands: `filters[0]`, `conditions[1]`. */
  readonly field: string;
  /** The expression that was asked; a map and conditions are translated. */
  readonly source: string;
  readonly result: PreviewedResult;
  /** The parts between `&&`, with what each found. */
  readonly clauses: readonly {
    readonly source: string;
    readonly result: PreviewedResult;
    readonly reads: readonly { readonly path: string; readonly json: string | null }[];
  }[];
  /** Only when it was stopped. */
  readonly fault?: { readonly code: string; readonly message: string };
}

/** What would happen; nothing was sent or stored. */
export interface Preview {
  /** Whether the event's type, the scope, all filters and the routes fit. */
  readonly matched: boolean;
  readonly typeMatches: boolean;
  /** Null: the webhook has no scope. */
  readonly scope: { readonly inScope: boolean; readonly reason: string | null } | null;
  /** Of a webhook that exists. */
  readonly status?: string;
  readonly filters: readonly PreviewedFilter[];
  /** Of a webhook that exists: the routes in which it stands; one has to give it the event. */
  readonly routes: readonly {
    readonly name: string;
    readonly gives: boolean;
    /** Those that hold, from 0; empty: it came to the default. */
    readonly steps: readonly number[];
  }[];
  readonly event: {
    readonly id: string;
    readonly event: string;
    readonly timestamp: string;
    readonly livemode: boolean;
  };
  /** How the event would travel with others; `request` shows a batch of it alone. */
  readonly batch: {
    readonly kind: "batch" | "digest";
    /** What the batch's key says of the event, as JSON. */
    readonly key: string | null;
    /** Whether the event sends its batch (`flushOnEvent`). */
    readonly sendsAtOnce: boolean;
  } | null;
  /** The thing that it is a state of, as JSON: only the last one is sent. */
  readonly coalesceKey: string | null;
  /** What would be sent if the event matched; signatures and secret values are masked. */
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Null: there is no body. */
    readonly contentType: string | null;
    readonly body: string;
    readonly bodyLength: number;
    readonly bodyTruncated: boolean;
  } | null;
  /** Why there is no request. */
  readonly fault?: { readonly code: string; readonly field: string; readonly message: string };
  /** What would follow the answer given; only with `response`. */
  readonly answer?: {
    readonly outcome: string;
    /** The rule that decided; null: the status. */
    readonly decidedBy: string | null;
    readonly verdict: string;
    /** If it came now, after a first attempt. */
    readonly nextAttemptAt: string | null;
    readonly reason: string | null;
    readonly webhookBecomes: "paused" | "disabled" | null;
    readonly extracted: Readonly<Record<string, string>>;
  };
  readonly warnings?: readonly Warning[];
}

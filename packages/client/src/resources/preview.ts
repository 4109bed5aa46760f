// What a webhook would do with an event, without an event or a request.
import type { CallOptions, Transport } from "../http/transport.ts";
import type { NewEvent } from "../types/event.ts";
import type { Preview } from "../types/preview.ts";
import type { NewWebhook } from "../types/webhook.ts";
import { change } from "./read.ts";

export interface PreviewInput {
  /** A webhook's id, or a draft of one. */
  readonly webhook: string | NewWebhook;
  /** An event to think of, one that was published, or the catalogue's example of a type. */
  readonly event: NewEvent | { readonly id: string } | { readonly example: string };
  /** An answer, to see what the webhook's rules would make of it. */
  readonly response?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
}

/** Filters and renders; nothing is stored or sent. */
export async function preview(transport: Transport, input: PreviewInput, options?: CallOptions): Promise<Preview> {
  return (await change(transport, "POST", "/preview", input, options)).data as Preview;
}

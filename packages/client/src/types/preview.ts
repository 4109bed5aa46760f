// What a preview shows.
import type { Warning } from "./webhook.ts";

export interface Preview {
  readonly matched: boolean;
  readonly filters: readonly { readonly source: string; readonly result: unknown }[];
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  } | null;
  readonly warnings: readonly Warning[];
}

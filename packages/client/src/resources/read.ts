// What all resources share: asking for one thing, for a list, and changing something. Pure plumbing over Transport.
import { InvalidArgument } from "../errors.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  type CallOptions,
  jsonBytes,
  type Query,
  type Transport,
} from "../http/transport.ts";
import { Listing, type Page } from "../listing.ts";

/** The call's own options, without what belongs to a resource. */
export function callOptions(options: CallOptions | undefined): CallOptions {
  const { signal, timeoutMs } = options ?? {};
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

/** Reads one thing. Reading is repeated whenever it failed for a passing reason. */
export async function read<Data>(
  transport: Transport,
  path: string,
  options: CallOptions | undefined,
  query?: Query,
): Promise<Data> {
  const answer = await transport.send({ method: "GET", path, query, repeatable: "always", ...callOptions(options) });
  return answer.data as Data;
}

/** A list, read page by page when somebody wants it. */
export function list<Item>(
  transport: Transport,
  path: string,
  query: object | undefined,
  options: CallOptions | undefined,
): Listing<Item> {
  return new Listing(async (cursor) => {
    const whole = { ...query, ...(cursor === undefined ? {} : { cursor }) } as Query;
    const request = { method: "GET", path, query: whole, repeatable: "always", ...callOptions(options) } as const;
    const answer = await transport.send(request);
    const { data, pagination, requestId } = answer;
    return { data, pagination, requestId } as Page<Item>;
  });
}

/** What a change may be guarded with: an ETag, or something that was read and carries one. */
export type IfMatch = string | { readonly etag: string };

export interface ChangeOptions extends CallOptions {
  /** Change only what was read: otherwise 412 `PRECONDITION_FAILED`. */
  readonly ifMatch?: IfMatch;
}

/** Changes something. Repeated only where the first try certainly did nothing. */
export async function change(
  transport: Transport,
  method: ApiRequest["method"],
  path: string,
  body: unknown,
  options: ChangeOptions | undefined,
  query?: Query,
): Promise<ApiAnswer> {
  return transport.send({
    method,
    path,
    query,
    body: body === undefined ? undefined : jsonBytes(body),
    headers: options?.ifMatch === undefined ? undefined : { "if-match": etagOf(options.ifMatch) },
    repeatable: "only_if_nothing_happened",
    ...callOptions(options),
  });
}

function etagOf(ifMatch: IfMatch): string {
  const etag = typeof ifMatch === "string" ? ifMatch : ifMatch.etag;
  if (typeof etag !== "string" || !/^[\x21-\x7e]{1,200}$/.test(etag)) {
    throw new InvalidArgument("ifMatch: expected an ETag, or a webhook that get() gave back.");
  }
  return etag;
}

/** Data with the mark of its state. Not enumerable: it is no field of the API, and must not be sent back as one. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the API promised, as `read` does
export function tagged<Data extends object>(answer: ApiAnswer): Data & { readonly etag: string } {
  const data = answer.data as Data;
  return Object.defineProperty(data, "etag", { value: answer.etag ?? "", enumerable: false }) as Data & {
    readonly etag: string;
  };
}

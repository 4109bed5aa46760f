// Who is told by e-mail and chat what operational events say; needs a key with the scope `admin`.
import type { CallOptions, Transport } from "../http/transport.ts";
import type { Digest, DigestChange, DigestTest } from "../types/digest.ts";
import { change, read } from "./read.ts";

export class DigestSettings {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Who is told, and how it goes. */
  get(options?: CallOptions): Promise<Digest> {
    return read(this.#transport, "/digest", options);
  }

  /** Replaces the fields given; the rest stay. */
  async update(fields: DigestChange, options?: CallOptions): Promise<Digest> {
    return (await change(this.#transport, "PATCH", "/digest", fields, options)).data as Digest;
  }

  /** Sends everybody who would be told a digest that says that it is a test. */
  async test(options?: CallOptions): Promise<DigestTest> {
    return (await change(this.#transport, "POST", "/digest/test", undefined, options)).data as DigestTest;
  }
}

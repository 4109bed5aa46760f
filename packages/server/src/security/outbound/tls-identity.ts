// Who we are and whom we trust in a TLS handshake, prepared once and named by what it holds.
// It must never be told apart by a name the caller makes up: connections are pooled by `id`.
import { createHash } from "node:crypto";
import { createSecureContext, rootCertificates, type SecureContext, type SecureVersion } from "node:tls";

/** PEM texts; `ca` replaces the public roots (a private authority is then the only one trusted). */
export interface TlsMaterial {
  readonly ca?: readonly string[];
  readonly certificate?: string;
  readonly privateKey?: string;
  readonly passphrase?: string;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
}

/** `id` is a hash of the material: equal material shares connections and sessions, nothing else does. */
export interface TlsIdentity {
  readonly id: string;
  readonly context: SecureContext;
}

/** Throws Node's own error when a PEM text cannot be read; ask when the webhook is saved. */
export function createTlsIdentity(material: TlsMaterial): TlsIdentity {
  const minVersion: SecureVersion = material.minVersion ?? "TLSv1.2";
  const parts = [minVersion, material.certificate, material.privateKey, material.passphrase, ...(material.ca ?? [])];
  // JSON keeps the parts apart: joined texts of two materials could otherwise be equal.
  const id = createHash("sha256")
    .update(JSON.stringify(parts.map((part) => part ?? null)))
    .digest("base64url");
  const context = createSecureContext({
    minVersion,
    ...(material.ca !== undefined && { ca: [...material.ca] }),
    ...(material.certificate !== undefined && { cert: material.certificate }),
    ...(material.privateKey !== undefined && { key: material.privateKey }),
    ...(material.passphrase !== undefined && { passphrase: material.passphrase }),
  });
  return { id, context };
}

/** The identity of requests without a client certificate: public roots and, in tests, further ones. */
export function createDefaultIdentity(furtherCas: readonly string[]): TlsIdentity {
  return createTlsIdentity(furtherCas.length === 0 ? {} : { ca: [...rootCertificates, ...furtherCas] });
}

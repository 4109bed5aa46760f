// What a local receiver thinks of a request: whose signatures it carries, and whether they fit a secret that is known.
// Must never tell a secret or the body.
import { type HeadersLike, type RefusalReason, verifySignature } from "@posthorn/client";
import { SIGNATURE_PROFILE_NAMES, SIGNATURE_RECIPES, type SignatureProfileName } from "@posthorn/contract";

export type Judgement =
  | { readonly kind: "verified"; readonly profiles: readonly SignatureProfileName[] }
  | {
      readonly kind: "refused";
      readonly profile: SignatureProfileName;
      readonly reason: RefusalReason;
      readonly message: string;
    }
  /** No header of a profile that has a name. */
  | { readonly kind: "unsigned" };

/** @param secrets one of them must fit; at least one */
export async function judge(
  request: { readonly headers: HeadersLike; readonly body: Uint8Array },
  headerNames: ReadonlySet<string>,
  secrets: readonly string[],
): Promise<Judgement> {
  const profiles = SIGNATURE_PROFILE_NAMES.filter((name) => headerNames.has(SIGNATURE_RECIPES[name].header));
  if (profiles.length === 0) return { kind: "unsigned" };
  for (const profile of profiles) {
    const check = await verifySignature({ ...request, secret: secrets, profile });
    if (!check.ok) return { kind: "refused", profile, reason: check.reason, message: check.message };
  }
  return { kind: "verified", profiles };
}

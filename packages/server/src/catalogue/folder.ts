// Where the catalogue stands on disk. Must give the same answer from src/ and from dist/: both lie at the same depth.
import { fileURLToPath } from "node:url";

/**
 * The absolute path of the catalogue that is shipped with the product, at the root of the repository.
 * @param moduleUrl where this module runs from; given only to try another place
 */
export function defaultCatalogueFolder(moduleUrl: string = import.meta.url): string {
  return fileURLToPath(new URL("../../../../catalogue", moduleUrl));
}

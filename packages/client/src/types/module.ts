// Who sends events, as the API shows it.
export interface EventModule {
  /** `module`: what the catalogue says that an event type is raised by. `source`: `context.source`. */
  readonly kind: "module" | "source";
  readonly name: string;
  readonly firstEventAt: string;
  /** To some seconds. */
  readonly lastEventAt: string;
  /** Events of the latest whole hour. */
  readonly lastHour: number;
  /** Events that usually come in such an hour of the week; null while less than two weeks are known. */
  readonly usualPerHour: number | null;
  /** Its last event, while it is silent against its habit. */
  readonly silentSince: string | null;
}

import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

/** The API, typed by the committed OpenAPI document. The session is an HttpOnly cookie, which the browser adds. */
export const http = createClient<paths>({ baseUrl: "" });

type Schemas = components["schemas"];
export type ShowSummary = Schemas["ShowSummary"];
export type Show = Schemas["Show"];
export type Performance = Schemas["Performance"];
export type Remaining = Schemas["Remaining"];
export type CategoryPrice = Schemas["CategoryPrice"];
export type Me = Schemas["Me"];
export type MyPlace = Schemas["Place"];
export type Plan = Schemas["Plan"];
/** A hold, as it was just made or as it was found again; only the latter says whether it was extended. */
export type Hold = Pick<Schemas["LiveHold"], "hold_id" | "seats" | "members" | "expires_at" | "claims"> & {
  extended?: boolean;
  /** How its seats lie, where the server has said so. */
  kind?: Schemas["BlockKind"] | null;
};
export type Wishes = Schemas["Wishes"];
export type Block = Schemas["Block"];
export type Booking = Schemas["Booking"];
export type BookingLine = Schemas["BookingLine"];
export type BookingState = Schemas["BookingState"];
export type Ticket = Schemas["Ticket"];
export type Party = Schemas["Party"];
export type Invitation = Schemas["Invitation"];
export type Acquaintance = Schemas["Acquaintance"];
export type Friends = Schemas["Friends"];
export type PartyLink = Schemas["PartyLink"];
export type Pays = Schemas["Pays"];
export type Shares = Schemas["SharesReply"];
export type Payment = Schemas["PaymentReply"];
export type Draw = Schemas["Draw"];
export type Steering = Schemas["Steering"];
export type LineAct = Schemas["LineAct"];
export type Sales = Schemas["Sales"];

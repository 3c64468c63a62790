// What is needed once someone is called in: fetched while they wait, apart from the first page.
export { DonePage } from "./done";
export { Look } from "./look";
export { PayPage } from "./pay";
export { SeatsPage } from "./seats";

// One's own things: fetched apart from the first page.
export { AccountPage } from "./account";
export { BookingPage } from "./booking";
export { BookingsPage } from "./bookings";
export { FriendPage, FriendsPage } from "./friends";
export { InvitationsPage } from "./invitations";
export { TicketsPage } from "./tickets";
export { TogetherPage } from "./together";

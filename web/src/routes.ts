// Every address of the page, made in one place.

export const to = {
  home: "/",
  signIn: (next?: string) => (next ? `/sign-in?next=${encodeURIComponent(next)}` : "/sign-in"),
  show: (show: string, performance?: string) => `/shows/${show}${performance ? `?date=${performance}` : ""}`,
  together: (performance: string, party?: string) =>
    `/performances/${performance}/together${party ? `?party=${party}` : ""}`,
  line: (performance: string) => `/performances/${performance}/line`,
  why: (performance: string) => `/performances/${performance}/line/why`,
  run: (performance: string) => `/performances/${performance}/run`,
  draw: (performance: string) => `/performances/${performance}/draw`,
  seats: (performance: string) => `/performances/${performance}/seats`,
  booking: (performance: string, booking: string) => `/performances/${performance}/bookings/${booking}`,
  pay: (performance: string, booking: string) => `/performances/${performance}/bookings/${booking}/pay`,
  done: (performance: string, booking: string) => `/performances/${performance}/bookings/${booking}/done`,
  bookings: "/me",
  tickets: "/me/tickets",
  invitations: "/me/invitations",
  friends: "/me/friends",
  friend: (account: string) => `/friends/${account}`,
  account: "/me/account",
};

/** Where to go after signing in: a path of this page, never another site's address. */
export function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : to.home;
}

import { Component, lazy, type ReactNode, Suspense, useEffect } from "react";
import { Route, Switch, useLocation } from "wouter";
import { useMyEvents } from "./live";
import { HomePage } from "./pages/home";
import { NotFoundPage } from "./pages/not-found";
import { ShowPage } from "./pages/show";
import { SignInPage } from "./pages/sign-in";
import { Shell } from "./ui/shell";
import { Failed, Loading, Skeleton } from "./ui/states";

const line = () => import("./pages/line");
const inside = () => import("./pages/inside");
const mine = () => import("./pages/mine");

const LinePage = lazy(async () => ({ default: (await line()).LinePage }));
const WhyPage = lazy(async () => ({ default: (await import("./pages/why")).WhyPage }));
const RunPage = lazy(async () => ({ default: (await import("./pages/run")).RunPage }));
const DrawPage = lazy(async () => ({ default: (await import("./pages/draw")).DrawPage }));
const SeatsPage = lazy(async () => ({ default: (await inside()).SeatsPage }));
const PayPage = lazy(async () => ({ default: (await inside()).PayPage }));
const DonePage = lazy(async () => ({ default: (await inside()).DonePage }));
const TogetherPage = lazy(async () => ({ default: (await mine()).TogetherPage }));
const BookingPage = lazy(async () => ({ default: (await mine()).BookingPage }));
const BookingsPage = lazy(async () => ({ default: (await mine()).BookingsPage }));
const TicketsPage = lazy(async () => ({ default: (await mine()).TicketsPage }));
const InvitationsPage = lazy(async () => ({ default: (await mine()).InvitationsPage }));
const FriendsPage = lazy(async () => ({ default: (await mine()).FriendsPage }));
const FriendPage = lazy(async () => ({ default: (await mine()).FriendPage }));
const AccountPage = lazy(async () => ({ default: (await mine()).AccountPage }));

/** Fetches the later pages as soon as the first one stands, so that nobody waits for them when the sale opens. */
function usePagesAhead(): void {
  useEffect(() => {
    const timer = setTimeout(() => {
      for (const pages of [line, inside, mine]) pages().catch(() => undefined); // asked for again when it is needed
    }, 300);
    return () => clearTimeout(timer);
  }, []);
}

export function App() {
  useMyEvents();
  usePagesAhead();
  const [path] = useLocation();
  return (
    <Shell>
      <Guard key={path}>
        <Suspense fallback={<PageLoading />}>
          <Switch>
            <Route path="/">
              <HomePage />
            </Route>
            <Route path="/sign-in">
              <SignInPage />
            </Route>
            <Route path="/shows/:show">{({ show }) => <ShowPage key={show} show={show} />}</Route>
            <Route path="/performances/:id/together">{({ id }) => <TogetherPage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/line">{({ id }) => <LinePage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/line/why">{({ id }) => <WhyPage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/run">{({ id }) => <RunPage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/draw">{({ id }) => <DrawPage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/seats">{({ id }) => <SeatsPage key={id} performance={id} />}</Route>
            <Route path="/performances/:id/bookings/:booking">
              {({ id, booking }) => <BookingPage key={booking} performance={id} booking={booking} />}
            </Route>
            <Route path="/performances/:id/bookings/:booking/pay">
              {({ id, booking }) => <PayPage key={booking} performance={id} booking={booking} />}
            </Route>
            <Route path="/performances/:id/bookings/:booking/done">
              {({ id, booking }) => <DonePage key={booking} performance={id} booking={booking} />}
            </Route>
            <Route path="/me">
              <BookingsPage />
            </Route>
            <Route path="/me/tickets">
              <TicketsPage />
            </Route>
            <Route path="/me/invitations">
              <InvitationsPage />
            </Route>
            <Route path="/me/friends">
              <FriendsPage />
            </Route>
            <Route path="/friends/:account">{({ account }) => <FriendPage key={account} account={account} />}</Route>
            <Route path="/me/account">
              <AccountPage />
            </Route>
            <Route>
              <NotFoundPage />
            </Route>
          </Switch>
        </Suspense>
      </Guard>
    </Shell>
  );
}

function PageLoading() {
  return (
    <div className="mx-auto w-full max-w-6xl px-4 py-10 sm:px-6">
      <Loading>
        <Skeleton className="h-10 w-56" />
        <Skeleton className="mt-8 h-64 w-full" />
      </Loading>
    </div>
  );
}

/** A page that breaks says so in its place; the rest goes on. */
class Guard extends Component<{ children: ReactNode }, { failure: unknown }> {
  override state: { failure: unknown } = { failure: undefined };

  static getDerivedStateFromError(failure: unknown) {
    return { failure };
  }

  override render() {
    if (this.state.failure === undefined) return this.props.children;
    return (
      <div className="mx-auto max-w-xl px-4 py-16">
        <Failed failure={this.state.failure} retry={() => location.reload()} />
      </div>
    );
  }
}

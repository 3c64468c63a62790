import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { type Language, useFormat, useLanguage, useT } from "../i18n";
import { live, useLiveStatus, useOnline } from "../live";
import { to } from "../routes";
import { Announcements, announce, toast } from "./announce";
import { look } from "./button";
import { ListIcon, Mark, PeopleIcon, PersonIcon, ShowsIcon, TicketIcon } from "./icons";

/** Pages with an action bar of their own at the bottom: the tab bar makes way there. */
const FLOW = /^\/(shows|performances|sign-in)/;

/** Pages that use the whole width: the header goes along. */
const WIDE = /\/seats$/;

export function Shell({ children }: { children: ReactNode }) {
  const t = useT();
  const [path] = useLocation();
  const signedIn = Boolean(useQuery(queries.me()).data);
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:rounded-xl focus:bg-ink focus:px-4 focus:py-3 focus:text-paper"
      >
        {t.skip}
      </a>
      <Header />
      <ConnectionBanner />
      <main id="main" tabIndex={-1} className="flex-1 outline-none">
        {children}
      </main>
      {signedIn && !FLOW.test(path) && <TabBar path={path} />}
      <Announcements />
    </div>
  );
}

function Header() {
  const t = useT();
  const [path] = useLocation();
  const me = useQuery(queries.me());
  return (
    <header className="sticky top-0 z-40 border-line border-b bg-paper/95 backdrop-blur-sm">
      <div
        className={`mx-auto flex h-14 w-full items-center gap-2 px-4 sm:h-16 sm:gap-6 sm:px-6 ${WIDE.test(path) ? "max-w-[90rem]" : "max-w-6xl"}`}
      >
        <Link href={to.home} className="flex items-center gap-2 rounded-lg text-lg font-extrabold tracking-tight">
          <Mark />
          <span className={me.data ? "max-[24rem]:sr-only" : ""}>{t.product}</span>
        </Link>
        <nav aria-label={t.nav.main} className="hidden items-center gap-1 sm:flex">
          <HeaderLink href={to.home} path={path} label={t.nav.shows} />
          {me.data && (
            <>
              <HeaderLink href={to.tickets} path={path} label={t.nav.tickets} />
              <HeaderLink href={to.bookings} path={path} label={t.nav.bookings} />
              <HeaderLink href={to.invitations} path={path} label={t.nav.invitations} badge={<InvitationsBadge />} />
            </>
          )}
        </nav>
        <div className="ml-auto flex items-center gap-2 sm:gap-3">
          {me.data && <Balance />}
          <LanguageSwitch />
          {me.data ? <Account name={me.data.nickname} /> : <SignInLink path={path} unknown={me.isPending} />}
        </div>
      </div>
    </header>
  );
}

function HeaderLink({ href, path, label, badge }: { href: string; path: string; label: string; badge?: ReactNode }) {
  const here = path === href;
  return (
    <Link
      href={href}
      aria-current={here ? "page" : undefined}
      className={`flex items-center gap-1.5 rounded-lg px-3 py-2 text-sm font-semibold ${here ? "bg-well text-ink" : "text-ink-2 hover:text-ink"}`}
    >
      {label}
      {badge}
    </Link>
  );
}

function SignInLink({ path, unknown }: { path: string; unknown: boolean }) {
  const t = useT();
  if (unknown) return <span className="h-9 w-16" />; // not known yet who this is: nothing that would jump
  const next = path.startsWith("/sign-in") ? undefined : path + location.search;
  return (
    <Link href={to.signIn(next)} className={look({ tone: "ink", size: "small" })}>
      {t.nav.signIn}
    </Link>
  );
}

function Balance() {
  const t = useT();
  const format = useFormat();
  const wallet = useQuery(queries.wallet());
  return (
    <Link
      href={to.account}
      className="tnum rounded-lg px-1 py-2 text-sm font-bold whitespace-nowrap hover:opacity-70"
      aria-label={wallet.data ? `${t.nav.balance} ${format.won(wallet.data.balance)}` : t.nav.balance}
    >
      {wallet.data ? format.won(wallet.data.balance) : "···"}
    </Link>
  );
}

export function LanguageSwitch() {
  const t = useT();
  const [language, choose] = useLanguage();
  const button = (to: Language, label: string, name: string) => (
    <button
      type="button"
      lang={to}
      aria-pressed={language === to}
      onClick={() => choose(to)}
      className={`min-h-8 min-w-9 rounded-lg px-1.5 text-sm font-bold ${language === to ? "bg-panel shadow-card" : "text-ink-2 hover:text-ink"}`}
    >
      <span aria-hidden="true">{label}</span>
      <span className="sr-only">{name}</span>
    </button>
  );
  return (
    <fieldset className="flex rounded-xl bg-well p-0.5">
      <legend className="sr-only">{t.nav.language}</legend>
      {button("ko", "가", "한국어")}
      {button("en", "EN", "English")}
    </fieldset>
  );
}

/** Forgets everything about whoever was signed in, and comes back as nobody. */
export function useSignOut(): () => Promise<void> {
  const t = useT();
  const client = useQueryClient();
  const [, go] = useLocation();
  return async () => {
    await commands.signOut();
    client.setQueryData(queries.me().queryKey, null);
    client.removeQueries({ queryKey: ["mine"] });
    live.restart();
    go(to.home);
    toast(t.me.signedOut);
  };
}

function Account({ name }: { name: string }) {
  const t = useT();
  const signOut = useSignOut();
  const menu = useRef<HTMLDetailsElement>(null);
  const [path] = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes the menu
  useEffect(() => menu.current?.removeAttribute("open"), [path]);
  return (
    <details
      ref={menu}
      className="relative hidden sm:block"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        menu.current?.removeAttribute("open");
        menu.current?.querySelector("summary")?.focus();
      }}
    >
      <summary className="flex max-w-44 list-none items-center gap-2 rounded-xl border-[1.5px] border-line bg-panel px-3 py-1.5 text-sm font-semibold hover:border-edge [&::-webkit-details-marker]:hidden">
        <PersonIcon />
        <span className="truncate">{name}</span>
      </summary>
      <div className="rise absolute right-0 mt-2 flex w-44 flex-col rounded-2xl border border-line bg-panel p-2 text-sm shadow-lift">
        <Link href={to.account} className="rounded-xl px-3 py-2.5 font-semibold hover:bg-well">
          {t.nav.account}
        </Link>
        <button
          type="button"
          onClick={() => void signOut()}
          className="rounded-xl px-3 py-2.5 text-left font-semibold hover:bg-well"
        >
          {t.nav.signOut}
        </button>
      </div>
    </details>
  );
}

/** How many invitations and requests to be friends wait for an answer. */
function useOpenInvitations(): number {
  const enabled = Boolean(useQuery(queries.me()).data);
  const invitations = useQuery({ ...queries.invitations(), enabled }).data?.invitations ?? [];
  const requests = useQuery({ ...queries.friends(), enabled }).data?.requests ?? [];
  return invitations.filter(({ state }) => state === "invited").length + requests.length;
}

function InvitationsBadge() {
  const t = useT();
  const open = useOpenInvitations();
  if (open === 0) return null;
  return (
    <span className="grid min-w-5 place-items-center rounded-full bg-lamp px-1 text-xs font-bold text-on-lamp">
      <span aria-hidden="true">{open}</span>
      <span className="sr-only">{t.nav.invitationsOpen(open)}</span>
    </span>
  );
}

function TabBar({ path }: { path: string }) {
  const t = useT();
  const tab = (href: string, label: string, icon: ReactNode, badge?: ReactNode) => {
    const here = path === href;
    return (
      <Link
        href={href}
        aria-current={here ? "page" : undefined}
        className={`relative flex flex-1 flex-col items-center gap-0.5 py-2 text-xs font-semibold ${here ? "text-ink" : "text-ink-2"}`}
      >
        <span className={`grid h-7 w-12 place-items-center rounded-full ${here ? "bg-lamp text-on-lamp" : ""}`}>
          {icon}
        </span>
        {label}
        {badge && <span className="absolute top-1 left-1/2 ml-3">{badge}</span>}
      </Link>
    );
  };
  return (
    <nav
      aria-label={t.nav.main}
      className="sticky bottom-0 z-30 flex border-line border-t bg-panel pb-[env(safe-area-inset-bottom)] sm:hidden"
    >
      {tab(to.home, t.nav.shows, <ShowsIcon />)}
      {tab(to.tickets, t.nav.tickets, <TicketIcon />)}
      {tab(to.bookings, t.nav.bookings, <ListIcon />)}
      {tab(to.invitations, t.nav.invitations, <PeopleIcon />, <InvitationsBadge />)}
      {tab(to.account, t.nav.account, <PersonIcon />)}
    </nav>
  );
}

/** Says when the connection is gone, that nothing is lost by it, and when it is back. */
function ConnectionBanner() {
  const t = useT();
  const online = useOnline();
  const lost = useLiveStatus() === "lost";
  const wasLost = useRef(false);
  const cut = lost || !online;
  useEffect(() => {
    if (wasLost.current && !cut) announce(t.connection.back);
    wasLost.current = cut;
  }, [cut, t]);
  return (
    <div role="status" className="sticky top-14 z-30 sm:top-16">
      {cut && (
        <p className="bg-ink px-4 py-2 text-center text-sm font-medium text-paper">
          {online ? t.connection.lost : t.connection.offline}
        </p>
      )}
    </div>
  );
}

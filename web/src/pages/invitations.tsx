import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { to } from "../routes";
import { PeopleIcon } from "../ui/icons";
import { Page } from "../ui/page";
import { Empty, Failed, Loading, Skeleton } from "../ui/states";
import { RequireAccount } from "./require-account";
import { InvitationCard } from "./together";

/** Invitations that wait for my answer, and the teams that I am in. */
export function InvitationsPage() {
  return <RequireAccount>{() => <Invitations />}</RequireAccount>;
}

function Invitations() {
  const t = useT();
  const format = useFormat();
  const mine = useQuery(queries.invitations());
  const open = mine.data?.invitations.filter(({ state }) => state === "invited") ?? [];
  const parties = mine.data?.parties ?? [];
  const requests = useQuery(queries.friends()).data?.requests.length ?? 0;
  return (
    <Page title={t.titles.invitations} heading={t.titles.invitations} width="narrow">
      {mine.isPending && (
        <Loading>
          <Skeleton className="h-32 rounded-card" />
        </Loading>
      )}
      {mine.isError && !mine.data && <Failed failure={mine.error} retry={() => void mine.refetch()} />}
      {mine.data && open.length === 0 && <Empty title={t.me.noInvitations} hint={t.me.noInvitationsHint} />}
      <div className="grid gap-4">
        {open.map((invitation) => (
          <InvitationCard key={invitation.party_id} invitation={invitation} />
        ))}
      </div>
      <Link
        href={to.friends}
        className="mt-6 flex items-center gap-4 rounded-2xl border border-line bg-panel p-4 hover:border-edge"
      >
        <PeopleIcon />
        <span className="min-w-0 flex-1 font-semibold">{t.titles.friends}</span>
        {requests > 0 && (
          <span className="text-ink-2 text-sm">
            {t.friends.requests}: {requests}
          </span>
        )}
        <span className="text-sm font-semibold underline underline-offset-4">{t.friends.manage}</span>
      </Link>
      {parties.length > 0 && (
        <section className="mt-10">
          <h2 className="mb-3 text-xl font-bold">{t.me.yourTeams}</h2>
          <ul className="grid gap-2">
            {parties.map((party) => (
              <li key={party.party_id}>
                <Link
                  href={to.together(party.performance_id)}
                  className="flex items-center gap-4 rounded-2xl border border-line bg-panel p-4 hover:border-edge"
                >
                  <PeopleIcon />
                  <span className="min-w-0 flex-1">
                    <span className="block truncate font-semibold">{party.title && format.text(party.title)}</span>
                    <span className="block truncate text-sm text-ink-2">
                      {party.members.map((account) => party.nicknames[account] ?? "···").join(", ")}
                    </span>
                  </span>
                  <span className="text-sm font-semibold underline underline-offset-4">{t.me.openTeam}</span>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  );
}

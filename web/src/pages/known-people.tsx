import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link } from "wouter";
import type { Acquaintance, Party } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useT } from "../i18n";
import { live } from "../live";
import { to } from "../routes";
import { toast } from "../ui/announce";
import { Button } from "../ui/button";
import { FailureNotice } from "../ui/states";
import { useAction } from "../ui/use-action";

/** Whom to invite with one tap: friends, recent companions, and people who are here too and let themselves be suggested. */
export function KnownPeople({
  performance,
  party,
  fresh,
}: {
  performance: string;
  party: Party | undefined;
  /** The id of the party that the first invitation forms. */
  fresh: string;
}) {
  const t = useT();
  const friends = useQuery(queries.friends()).data?.friends ?? [];
  const companions = useQuery(queries.companions()).data?.people ?? [];
  const suggested = useQuery({ ...queries.suggestions(performance), refetchInterval: 20_000 }).data?.people ?? [];
  const client = useQueryClient();
  const action = useAction();
  useHere(performance);
  const inParty = new Set([...(party?.members ?? []), ...(party?.invited ?? [])]);
  const known = new Set([...friends, ...companions].map(({ account_id }) => account_id));
  const strangers = suggested.filter(({ account_id }) => !known.has(account_id));
  const invite = ({ account_id, nickname }: Acquaintance) =>
    action.run(async () => {
      await commands.invite(performance, party?.party_id ?? fresh, { account_id });
      await client.invalidateQueries(queries.invitations());
      toast(t.together.invited(nickname));
    });
  const list = (heading: string, people: readonly Acquaintance[]) => (
    <Invitable
      heading={heading}
      people={people.filter(({ account_id }) => !inParty.has(account_id))}
      busy={action.busy}
      invite={(person) => void invite(person)}
    />
  );
  return (
    <section className="grid gap-5 rounded-card border border-line bg-panel p-5">
      {friends.length === 0 && <p className="text-ink-2 text-sm">{t.friends.none}</p>}
      {list(t.friends.friends(friends.length), friends)}
      {list(t.friends.companions, companions)}
      {list(t.friends.here, strangers)}
      {action.failure !== undefined && <FailureNotice failure={action.failure} />}
      <Link href={to.friends} className="font-semibold text-sm underline underline-offset-4">
        {t.friends.manage}
      </Link>
    </section>
  );
}

/** Being on this page counts as being here: others who are may be suggested, and so may I, if I allow it. */
function useHere(performance: string): void {
  useEffect(() => live.follow({ topic: "line", performance }, { onMessage: () => undefined }), [performance]);
}

function Invitable({
  heading,
  people,
  busy,
  invite,
}: {
  heading: string;
  people: readonly Acquaintance[];
  busy: boolean;
  invite: (person: Acquaintance) => void;
}) {
  const t = useT();
  if (people.length === 0) return null;
  return (
    <div>
      <h2 className="mb-2 font-bold">{heading}</h2>
      <ul className="grid gap-2">
        {people.map((person) => (
          <li key={person.account_id} className="flex items-center gap-3 rounded-2xl bg-well px-4 py-2">
            <span className="min-w-0 flex-1 truncate font-semibold">{person.nickname}</span>
            <Button
              size="small"
              disabled={busy}
              aria-label={t.friends.inviteName(person.nickname)}
              onClick={() => invite(person)}
            >
              {t.together.inviteButton}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}

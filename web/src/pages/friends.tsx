import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Acquaintance, Friends, Me } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useT } from "../i18n";
import { to } from "../routes";
import { toast } from "../ui/announce";
import { Avatar } from "../ui/avatar";
import { Button, ButtonLink } from "../ui/button";
import { CopyLink } from "../ui/copy-link";
import { Page } from "../ui/page";
import { Failed, FailureNotice, Loading, Notice, Skeleton } from "../ui/states";
import { useAction } from "../ui/use-action";
import { NicknameForm } from "./nickname-form";
import { RequireAccount } from "./require-account";

/** My friends, who asks to be one, whom I asked; my link; and whether I may be suggested. */
export function FriendsPage() {
  const t = useT();
  return (
    <RequireAccount>
      {(me) => (
        <Page title={t.titles.friends} heading={t.titles.friends} width="narrow">
          <Circle me={me} />
        </Page>
      )}
    </RequireAccount>
  );
}

/** Says something of friends, and shows what came of it. */
function useFriends() {
  const client = useQueryClient();
  const action = useAction();
  const say = (what: () => Promise<unknown>, done?: string) =>
    action.run(async () => {
      await what();
      await Promise.all([client.invalidateQueries(queries.friends()), client.invalidateQueries(queries.companions())]);
      if (done !== undefined) toast(done);
    });
  return { ...action, say };
}

function Circle({ me }: { me: Me }) {
  const mine = useQuery(queries.friends());
  if (mine.isError && !mine.data) return <Failed failure={mine.error} retry={() => void mine.refetch()} />;
  if (!mine.data)
    return (
      <Loading>
        <Skeleton className="h-56 rounded-card" />
      </Loading>
    );
  return (
    <div className="grid gap-5">
      <Lists mine={mine.data} />
      <AskByName requests={mine.data.requests} />
      <OwnLink me={me} />
      <Companions asked={mine.data.asked} />
      <Allow allowed={mine.data.suggestions_allowed} />
    </div>
  );
}

function Lists({ mine }: { mine: Friends }) {
  const t = useT();
  const { busy, failure, say } = useFriends();
  const button = (label: string, name: string, onClick: () => void, tone?: "lamp") => (
    <Button size="small" disabled={busy} aria-label={`${name}: ${label}`} onClick={onClick} {...(tone && { tone })}>
      {label}
    </Button>
  );
  const no = (label: string, { account_id, nickname }: Acquaintance) =>
    button(label, nickname, () => void say(() => commands.dismissFriend(account_id)));
  const yes = ({ account_id, nickname }: Acquaintance) =>
    button(
      t.friends.accept,
      nickname,
      () => void say(() => commands.requestFriend({ account_id }), t.friends.nowFriends(nickname)),
      "lamp",
    );
  return (
    <>
      {mine.requests.length > 0 && (
        <People heading={t.friends.requests} people={mine.requests}>
          {(person) => (
            <>
              {yes(person)}
              {no(t.friends.decline, person)}
            </>
          )}
        </People>
      )}
      <People heading={t.friends.friends(mine.friends.length)} people={mine.friends} empty={t.friends.none}>
        {(person) => no(t.friends.remove, person)}
      </People>
      {mine.asked.length > 0 && (
        <People heading={t.friends.asked} people={mine.asked}>
          {(person) => no(t.friends.withdraw, person)}
        </People>
      )}
      {failure !== undefined && <FailureNotice failure={failure} />}
    </>
  );
}

function People({
  heading,
  people,
  empty,
  children,
}: {
  heading: string;
  people: readonly Acquaintance[];
  empty?: string;
  children: (person: Acquaintance) => ReactNode;
}) {
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="font-bold text-lg">{heading}</h2>
      {people.length === 0 && <p className="mt-2 text-ink-2 text-sm">{empty}</p>}
      <ul aria-live="polite" className="mt-3 grid gap-2">
        {people.map((person) => (
          <li key={person.account_id} className="flex flex-wrap items-center gap-3 rounded-2xl bg-well px-4 py-3">
            <Avatar name={person.nickname} lit />
            <span className="min-w-0 flex-1 truncate font-semibold">{person.nickname}</span>
            {children(person)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function AskByName({ requests }: { requests: readonly Acquaintance[] }) {
  const t = useT();
  const { busy, failure, say } = useFriends();
  const ask = (nickname: string, sent: () => void) => {
    const asksMe = requests.some((one) => one.nickname === nickname);
    const request = () => commands.requestFriend({ nickname }).then(sent);
    void say(request, asksMe ? t.friends.nowFriends(nickname) : t.friends.sent(nickname));
  };
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <NicknameForm
        label={t.friends.byName}
        hint={t.friends.byNameHint}
        button={t.friends.ask}
        busy={busy}
        failure={failure}
        submit={ask}
      />
    </section>
  );
}

function OwnLink({ me }: { me: Me }) {
  const t = useT();
  return <CopyLink label={t.friends.link} hint={t.friends.linkHint} path={to.friend(me.account_id)} />;
}

/** Who was in a party with me lately and isn't a friend. */
function Companions({ asked }: { asked: readonly Acquaintance[] }) {
  const t = useT();
  const { busy, failure, say } = useFriends();
  const people = useQuery(queries.companions()).data?.people ?? [];
  const open = people.filter(({ account_id }) => !asked.some((one) => one.account_id === account_id));
  if (open.length === 0) return null;
  return (
    <>
      <People heading={t.friends.companions} people={open}>
        {({ account_id, nickname }) => (
          <Button
            size="small"
            disabled={busy}
            aria-label={`${nickname}: ${t.friends.ask}`}
            onClick={() => void say(() => commands.requestFriend({ account_id }), t.friends.sent(nickname))}
          >
            {t.friends.ask}
          </Button>
        )}
      </People>
      {failure !== undefined && <FailureNotice failure={failure} />}
    </>
  );
}

function Allow({ allowed }: { allowed: boolean }) {
  const t = useT();
  const { busy, failure, say } = useFriends();
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <label className="flex min-h-11 items-center gap-3 font-semibold">
        <input
          type="checkbox"
          checked={allowed}
          disabled={busy}
          onChange={(event) => {
            const allow = event.target.checked;
            void say(() => commands.allowSuggestions(allow));
          }}
          className="size-5 accent-lamp"
        />
        {t.friends.allow}
      </label>
      <p className="mt-1 text-ink-2 text-sm">{t.friends.allowHint}</p>
      {failure !== undefined && <FailureNotice failure={failure} />}
    </section>
  );
}

/** What someone's link leads to: asking them to be friends with one tap, signing up on the way. */
export function FriendPage({ account }: { account: string }) {
  return <RequireAccount>{(me) => <FriendLink account={account} me={me} />}</RequireAccount>;
}

function FriendLink({ account, me }: { account: string; me: Me }) {
  const t = useT();
  const person = useQuery(queries.friendLink(account));
  const mine = useQuery(queries.friends());
  return (
    <Page title={t.titles.friends} heading={t.titles.friends} width="narrow">
      {person.isError && <Failed failure={person.error} retry={() => void person.refetch()} />}
      {mine.isError && !mine.data && <Failed failure={mine.error} retry={() => void mine.refetch()} />}
      {person.data === null && <Notice tone="bad" title={t.friends.noSuch} />}
      {account === me.account_id && <OwnLink me={me} />}
      {account !== me.account_id && person.data && mine.data && <Offer person={person.data} mine={mine.data} />}
      <div className="mt-5">
        <ButtonLink wide href={to.friends}>
          {t.friends.manage}
        </ButtonLink>
      </div>
    </Page>
  );
}

function Offer({ person, mine }: { person: Acquaintance; mine: Friends }) {
  const t = useT();
  const { busy, failure, say } = useFriends();
  const { account_id, nickname } = person;
  const among = (people: readonly Acquaintance[]) => people.some((one) => one.account_id === account_id);
  if (among(mine.friends)) return <Notice tone="good" title={t.friends.nowFriends(nickname)} />;
  if (among(mine.asked)) return <Notice tone="lamp" title={t.friends.sent(nickname)} />;
  return (
    <div className="rounded-card border-[1.5px] border-lamp bg-lamp-soft p-5">
      <p className="font-bold text-lg">{t.friends.offer(nickname)}</p>
      <Button
        tone="lamp"
        wide
        className="mt-4"
        busy={busy}
        onClick={() => void say(() => commands.requestFriend({ account_id }))}
      >
        {t.friends.ask}
      </Button>
      {failure !== undefined && <FailureNotice failure={failure} />}
    </div>
  );
}

import { useQuery } from "@tanstack/react-query";
import type { Me } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { Button } from "../ui/button";
import { Page } from "../ui/page";
import { LanguageSwitch, useSignOut } from "../ui/shell";
import { FailureNotice } from "../ui/states";
import { useAction } from "../ui/use-action";
import { RequireAccount } from "./require-account";

/** Who I am here, what I can spend, and the way out. */
export function AccountPage() {
  return <RequireAccount>{(me) => <Account me={me} />}</RequireAccount>;
}

function Account({ me }: { me: Me }) {
  const t = useT();
  const format = useFormat();
  const wallet = useQuery(queries.wallet());
  const signOut = useSignOut();
  const action = useAction();
  return (
    <Page title={t.titles.account} heading={me.nickname} width="narrow">
      <div className="grid gap-4">
        <section className="rounded-[28px] bg-board p-6 text-on-board">
          <h2 className="text-sm text-on-board-2">{t.me.balance}</h2>
          <p className="tnum mt-1 text-4xl font-extrabold tracking-tight text-lamp">
            {wallet.data ? format.won(wallet.data.balance) : "···"}
          </p>
          <p className="mt-3 text-sm text-on-board-2">{t.me.balanceHint}</p>
        </section>
        <dl className="divide-y divide-line rounded-card border border-line bg-panel px-5">
          <Item name={t.me.nickname} value={me.nickname} hint={t.me.nicknameHint} />
          <Item name={t.me.email} value={me.email} />
        </dl>
        <div className="flex items-center justify-between rounded-card border border-line bg-panel p-5">
          <span className="text-sm text-ink-2">{t.me.language}</span>
          <LanguageSwitch />
        </div>
        <Button busy={action.busy} onClick={() => void action.run(signOut)}>
          {t.nav.signOut}
        </Button>
        {action.failure !== undefined && <FailureNotice failure={action.failure} />}
      </div>
    </Page>
  );
}

function Item({ name, value, hint }: { name: string; value: string; hint?: string }) {
  return (
    <div className="py-4">
      <dt className="text-sm text-ink-2">{name}</dt>
      <dd className="font-semibold">{value}</dd>
      {hint && <dd className="mt-0.5 text-sm text-ink-2">{hint}</dd>}
    </div>
  );
}

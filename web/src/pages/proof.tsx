import { useQueryClient } from "@tanstack/react-query";
import { queries } from "../api/queries";
import type { Signed } from "../draw/statement";
import { useMore } from "../i18n/more";
import { to } from "../routes";
import { toast } from "../ui/announce";
import { Button, ButtonLink } from "../ui/button";
import { download } from "../ui/download";
import { FailureNotice } from "../ui/states";
import { useAction } from "../ui/use-action";

/** What one can keep and show of one's place: the receipt, and why it is where it is. */
export function Proof({ performance }: { performance: string }) {
  const m = useMore();
  const client = useQueryClient();
  const receipt = () => client.fetchQuery(queries.receipt(performance));
  return (
    <section className="mt-6 grid gap-5 rounded-card border border-line bg-panel p-5">
      <div className="grid gap-2">
        <h2 className="font-bold">{m.proof.receipt}</h2>
        <p className="text-sm text-ink-2">{m.proof.receiptHint}</p>
        <KeepStatement label={m.proof.save} file={`socketing-receipt-${performance}.json`} get={receipt} />
      </div>
      <div className="grid justify-items-start gap-2">
        <ButtonLink size="small" href={to.why(performance)}>
          {m.proof.why}
        </ButtonLink>
        <p className="text-sm text-ink-2">{m.proof.whyHint}</p>
      </div>
    </section>
  );
}

/** Buttons that save or copy a signed statement, just as the system gave it. */
export function KeepStatement({ label, file, get }: { label: string; file: string; get: () => Promise<Signed> }) {
  const m = useMore();
  const action = useAction();
  const text = async () => `${JSON.stringify(await get(), null, 2)}\n`;
  const save = () => action.run(async () => download(await text(), file, "application/json"));
  const copy = () =>
    action.run(async () => {
      await navigator.clipboard.writeText(await text());
      toast(m.proof.copied);
    });
  return (
    <>
      <div className="flex flex-wrap gap-2">
        <Button size="small" tone="ink" busy={action.busy} onClick={() => void save()}>
          {label}
        </Button>
        <Button size="small" busy={action.busy} onClick={() => void copy()}>
          {m.proof.copy}
        </Button>
      </div>
      {action.failure !== undefined && <FailureNotice failure={action.failure} />}
    </>
  );
}

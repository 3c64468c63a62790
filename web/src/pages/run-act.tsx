import { type FormEvent, useState } from "react";
import { useT } from "../i18n";
import { useMore } from "../i18n/more";
import { toast } from "../ui/announce";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Field, INPUT } from "../ui/field";
import { FailureNotice } from "../ui/states";
import { useAction } from "../ui/use-action";

/** As the server's limit. */
const REASON_CHARS_MAX = 200;

/** Something that those who run a line do: asked about first, with what it means, and done with a reason. */
export function Act({
  name,
  text,
  disabled = false,
  bad = false,
  reasonless = false,
  run,
}: {
  name: string;
  text: string;
  disabled?: boolean;
  /** It takes something away from somebody. */
  bad?: boolean;
  /** It says itself why. */
  reasonless?: boolean;
  run: (reason: string) => Promise<void>;
}) {
  const t = useT();
  const m = useMore();
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState("");
  const action = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      await run(reason.trim());
      setAsking(false);
      setReason("");
      toast(m.run.done);
    });
  };
  return (
    <>
      <Button tone={bad ? "bad" : "outline"} disabled={disabled} onClick={() => setAsking(true)}>
        {name}
      </Button>
      <Dialog open={asking} title={name} onClose={() => setAsking(false)}>
        <p className="mt-2 break-words text-ink-2">{text}</p>
        <form onSubmit={submit} className="mt-4 grid gap-4">
          {!reasonless && (
            <Field label={m.run.reason} hint={m.run.reasonHint}>
              {(id, hintId) => (
                <input
                  id={id}
                  aria-describedby={hintId}
                  required
                  maxLength={REASON_CHARS_MAX}
                  autoComplete="off"
                  value={reason}
                  onChange={(event) => setReason(event.target.value)}
                  className={INPUT}
                />
              )}
            </Field>
          )}
          {action.failure !== undefined && <FailureNotice failure={action.failure} />}
          <div className="grid gap-2 sm:grid-cols-2">
            <Button onClick={() => setAsking(false)}>{t.cancel}</Button>
            <Button tone={bad ? "bad" : "ink"} type="submit" busy={action.busy}>
              {name}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}

import { type FormEvent, type ReactNode, useState } from "react";
import { Button } from "../ui/button";
import { Field, INPUT } from "../ui/field";
import { FailureNotice } from "../ui/states";

/** Names someone, to ask or invite them. */
export function NicknameForm({
  label,
  hint,
  button,
  busy,
  failure,
  submit,
  children,
}: {
  label: string;
  hint: string;
  button: string;
  busy: boolean;
  failure: unknown;
  /** `sent` is called once it has worked: the field is for the next one then. */
  submit: (nickname: string, sent: () => void) => void;
  children?: ReactNode;
}) {
  const [name, setName] = useState("");
  const submitted = (event: FormEvent) => {
    event.preventDefault();
    submit(name.trim(), () => setName(""));
  };
  return (
    <form onSubmit={submitted} className="grid gap-3">
      <Field label={label} hint={hint}>
        {(id, hintId) => (
          <div className="flex gap-2">
            <input
              id={id}
              aria-describedby={hintId}
              required
              maxLength={100}
              autoComplete="off"
              value={name}
              onChange={(event) => setName(event.target.value)}
              className={INPUT}
            />
            <Button tone="ink" type="submit" busy={busy} className="shrink-0">
              {button}
            </Button>
          </div>
        )}
      </Field>
      {failure !== undefined && <FailureNotice failure={failure} />}
      {children}
    </form>
  );
}

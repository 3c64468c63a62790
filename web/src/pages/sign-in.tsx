import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Redirect, useSearchParams } from "wouter";
import { commands } from "../api/commands";
import { isProblem } from "../api/problem";
import { queries } from "../api/queries";
import { useT } from "../i18n";
import { live } from "../live";
import { safeNext } from "../routes";
import { Button } from "../ui/button";
import { Field, INPUT } from "../ui/field";
import { Page } from "../ui/page";
import { FailureNotice, Notice } from "../ui/states";

type Mode = "in" | "up";
type Turn = { kind: "unknown" | "taken"; email: string };

/** One form for both: it says clearly when an address isn't registered, and goes on to signing up with what was typed. */
export function SignInPage() {
  const t = useT();
  const me = useQuery(queries.me());
  const [search] = useSearchParams();
  const next = search.get("next");
  const [mode, setMode] = useState<Mode>("in");
  if (me.data) return <Redirect to={safeNext(next)} replace />;
  return (
    <Page title={t.titles.signIn} heading={mode === "in" ? t.sign.heading : t.sign.headingUp} width="narrow">
      {next !== null && (
        <div className="mb-4">
          <Notice tone="lamp" title={t.sign.asked} />
        </div>
      )}
      <p className="mb-6 text-ink-2">{mode === "in" ? t.sign.lead : t.sign.welcome}</p>
      <SignForm mode={mode} setMode={setMode} />
    </Page>
  );
}

function SignForm({ mode, setMode }: { mode: Mode; setMode: (mode: Mode) => void }) {
  const t = useT();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [turn, setTurn] = useState<Turn>();
  const [failure, setFailure] = useState<unknown>();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [nickname, setNickname] = useState("");
  const passwordField = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setFailure(undefined);
    setTurn(undefined);
    try {
      const address = email.trim();
      if (mode === "in") await commands.signIn(address, password);
      else await commands.signUp(address, password, nickname.trim() || undefined);
      live.restart();
      await client.invalidateQueries();
    } catch (thrown) {
      meet(thrown);
    } finally {
      setBusy(false);
    }
  }

  /** A wrong turn leads to the other form; anything else is told. */
  function meet(thrown: unknown) {
    if (isProblem(thrown, "unknown_email")) {
      setMode("up");
      setTurn({ kind: "unknown", email });
    } else if (isProblem(thrown, "email_taken")) {
      setMode("in");
      setTurn({ kind: "taken", email });
      passwordField.current?.focus();
    } else setFailure(thrown);
  }

  return (
    <form
      onSubmit={(event) => void submit(event)}
      className="grid gap-5 rounded-card border border-line bg-panel p-5 sm:p-7"
    >
      {turn && (
        <Notice
          tone="lamp"
          alert
          title={turn.kind === "unknown" ? t.sign.unknown(turn.email) : t.sign.taken(turn.email)}
        >
          {turn.kind === "unknown" ? t.sign.unknownHint : t.sign.takenHint}
        </Notice>
      )}
      {failure !== undefined && <FailureNotice failure={failure} />}
      <Field label={t.sign.email}>
        {(id) => (
          <input
            id={id}
            type="email"
            name="email"
            autoComplete="username"
            required
            maxLength={254}
            value={email}
            onChange={(event) => setEmail(event.target.value)}
            className={INPUT}
          />
        )}
      </Field>
      <Password value={password} onChange={setPassword} mode={mode} field={passwordField} />
      {mode === "up" && <Nickname value={nickname} onChange={setNickname} />}
      <Button tone="lamp" size="large" wide type="submit" busy={busy}>
        {mode === "in" ? t.sign.continue : t.sign.signUp}
      </Button>
      <Button
        tone="quiet"
        size="small"
        onClick={() => {
          setTurn(undefined);
          setFailure(undefined);
          setMode(mode === "in" ? "up" : "in");
        }}
      >
        {mode === "in" ? t.sign.toSignUp : t.sign.toSignIn}
      </Button>
    </form>
  );
}

function Password({
  value,
  onChange,
  mode,
  field,
}: {
  value: string;
  onChange: (value: string) => void;
  mode: Mode;
  field: React.RefObject<HTMLInputElement | null>;
}) {
  const t = useT();
  const [shown, setShown] = useState(false);
  return (
    <Field label={t.sign.password} hint={t.sign.passwordHint}>
      {(id, hintId) => (
        <div className="relative">
          <input
            ref={field}
            id={id}
            aria-describedby={hintId}
            type={shown ? "text" : "password"}
            name="password"
            autoComplete={mode === "in" ? "current-password" : "new-password"}
            required
            minLength={6}
            maxLength={128}
            value={value}
            onChange={(event) => onChange(event.target.value)}
            className={`${INPUT} pr-16`}
          />
          <button
            type="button"
            aria-pressed={shown}
            aria-label={shown ? t.sign.hidePassword : t.sign.showPassword}
            onClick={() => setShown(!shown)}
            className="absolute inset-y-1.5 right-1.5 w-12 rounded-lg text-sm font-bold text-ink-2 hover:text-ink"
          >
            <span aria-hidden="true">{shown ? "●●" : "abc"}</span>
          </button>
        </div>
      )}
    </Field>
  );
}

function Nickname({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const t = useT();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <Field label={`${t.sign.nickname} (${t.optional})`} hint={t.sign.nicknameHint}>
      {(id, hintId) => (
        <input
          ref={field}
          id={id}
          aria-describedby={hintId}
          name="nickname"
          autoComplete="nickname"
          maxLength={100}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={INPUT}
        />
      )}
    </Field>
  );
}

import { useT } from "../i18n";
import { toast } from "./announce";
import { Button } from "./button";
import { INPUT } from "./field";

/** An address of this page to be sent to friends: copied, or shared where the device can. */
export function CopyLink({ label, hint, path }: { label: string; hint: string; path: string }) {
  const t = useT();
  const link = location.origin + path;
  const copy = async () => {
    await navigator.clipboard.writeText(link);
    toast(t.together.copied);
  };
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-3 font-bold text-lg">{label}</h2>
      <div className="flex gap-2">
        <input aria-label={label} readOnly value={link} className={INPUT} />
        <Button tone="ink" className="shrink-0" onClick={() => void copy().catch(() => undefined)}>
          {t.together.copy}
        </Button>
        {"share" in navigator && (
          <Button className="shrink-0" onClick={() => void navigator.share({ url: link }).catch(() => undefined)}>
            {t.friends.share}
          </Button>
        )}
      </div>
      <p className="mt-2 text-ink-2 text-sm">{hint}</p>
    </section>
  );
}

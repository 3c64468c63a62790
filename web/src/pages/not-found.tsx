import { useT } from "../i18n";
import { to } from "../routes";
import { ButtonLink } from "../ui/button";
import { Page } from "../ui/page";

export function NotFoundPage() {
  const t = useT();
  return (
    <Page title={t.titles.notFound} heading={t.notFound.heading} width="narrow">
      <p className="text-ink-2">{t.notFound.hint}</p>
      <ButtonLink tone="ink" href={to.home} className="mt-6">
        {t.notFound.home}
      </ButtonLink>
    </Page>
  );
}

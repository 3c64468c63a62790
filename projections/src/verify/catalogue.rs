//! Shows and their performances.

use super::{Fold, PlanMap, Table, key};
use crate::projection::Model;
use serde_json::json;
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::show::{self, Details};
use socketing_domain::{AccountId, PerformanceId, ShowId, performance};
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Catalogue {
    drafts: HashMap<ShowId, (AccountId, Details)>,
    published: HashSet<ShowId>,
    scheduled: HashSet<(PerformanceId, ShowId)>,
}

impl Fold for Catalogue {
    fn model(&self) -> Model {
        Model::Catalogue
    }

    fn event(&mut self, event: &Recorded) {
        match (&event.stream, &event.event) {
            (_, Event::Show(show::Event::ShowDrafted { show, organiser, details })) => {
                self.drafts.insert(*show, (*organiser, details.clone()));
            }
            (_, Event::Show(show::Event::ShowPublished { show })) => {
                self.published.insert(*show);
            }
            (StreamId::Performance(id), Event::Performance(performance::Event::PerformanceScheduled { show, .. })) => {
                self.scheduled.insert((*id, *show));
            }
            _ => {}
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut shows, mut performances) = (HashMap::new(), HashMap::new());
        for (show, (organiser, details)) in &self.drafts {
            let row = json!({
                "organiser": organiser,
                "title": details.title,
                "venue": details.venue,
                "plan": details.plan,
                "prices": details.prices,
                "policies": details.policies,
                "sale_opens_at": details.sale_opens_at.as_millis(),
                "published": self.published.contains(show),
            });
            shows.insert(show.to_string(), row);
            for date in &details.dates {
                let scheduled = self.scheduled.contains(&(date.performance, *show));
                let row = json!({ "starts_at": date.starts_at.as_millis(), "scheduled": scheduled });
                performances.insert(key(date.performance, show), row);
            }
        }
        vec![Table { name: "catalogue_shows", rows: shows }, Table { name: "catalogue_performances", rows: performances }]
    }
}

//! The report of a training run.

use super::{Block, Comparison, Fact, Figure, LinePlot, Page, Sample, Section};

/// What a training run shows. Empty parts are left out.
#[derive(Debug, Clone, Default)]
pub struct TrainingReport {
    /// Heading, such as the run's name.
    pub title: String,
    /// One line below it: the model, the data, what the run is and is not.
    pub subtitle: String,
    /// Results in large type: final rewards, accuracy, time.
    pub figures: Vec<Figure>,
    /// Held-out cases before and after.
    pub before_after: Option<Comparison>,
    /// Reward curves first, then the rest.
    pub curves: Vec<LinePlot>,
    /// Responses beside their evidence.
    pub samples: Vec<Sample>,
    /// Model, data, configuration, versions, hashes.
    pub facts: Vec<Fact>,
    /// What a reader must know to judge the numbers; warnings of the run.
    pub notes: Vec<String>,
}

impl TrainingReport {
    /// The report as one HTML document.
    pub fn to_html(&self) -> String {
        let section =
            |heading: &str, intro: &str, block| Section { heading: heading.to_owned(), intro: intro.to_owned(), block };
        let mut sections = vec![section("Results", "", Block::Figures(self.figures.clone()))];
        if let Some(comparison) = &self.before_after {
            let intro = "The same held-out cases, paired. Intervals are at 95 %, bootstrapped over cases.";
            sections.push(section("Before and after", intro, Block::Comparison(comparison.clone())));
        }
        sections.extend([
            section(
                "Curves",
                "Faint lines are the bare values, strong ones a moving average.",
                Block::Plots(self.curves.clone()),
            ),
            section(
                "Sample responses",
                "Marks show what each check rests on: solid underline passed, wavy failed, dashed open, dotted exempt. \
                 The small numbers lead to the list of checks below the text.",
                Block::Samples(self.samples.clone()),
            ),
            section("Notes", "", Block::Notes(self.notes.clone())),
            section("Run", "", Block::Facts(self.facts.clone())),
        ]);
        Page { title: self.title.clone(), subtitle: self.subtitle.clone(), sections }.to_html()
    }
}

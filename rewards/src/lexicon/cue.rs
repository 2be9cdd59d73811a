//! Cue phrases: the words around a mention that tell its status, whom a clause is about, and what is concluded.

use std::ops::{BitAnd, BitOr, BitOrAssign};

/// The roles of a cue phrase, as a set; one phrase may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cues(u32);

macro_rules! cues {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl Cues {
            $($(#[$doc])* pub const $name: Cues = Cues(1 << $bit);)*

            /// The role of that name in the lexicon's files.
            pub fn named(name: &str) -> Option<Cues> {
                match name {
                    $($text => Some(Cues::$name),)*
                    _ => None,
                }
            }
        }
    };
}

cues! {
    /// Negates what follows: "no", "denies".
    NEGATES_AFTER = 0, "negates what follows";
    /// Negates what stands before: "is absent".
    NEGATES_BEFORE = 1, "negates what precedes";
    /// Makes what follows possible only: "possible", "cannot exclude".
    DOUBTS_AFTER = 2, "doubts what follows";
    /// Makes what stands before possible only: "is possible".
    DOUBTS_BEFORE = 3, "doubts what precedes";
    /// Makes what follows a supposition: "if", "return for".
    SUPPOSES = 4, "supposes what follows";
    /// Puts what follows into the past: "history of".
    PAST = 5, "puts into the past";
    /// Says that another person is meant: "family history of", "mother".
    FAMILY = 6, "another person";
    /// Looks like a cue and is none: "no change", "not only".
    PSEUDO = 7, "no cue";
    /// Ends the scope of the cues around it.
    STOP = 8, "ends a scope";
    /// A finite verb, which opens a clause of its own behind a comma or "and".
    VERB = 9, "verb";
    /// General knowledge: "typically", "is characterized by".
    GENERAL = 10, "general";
    /// The patient as subject or possessor: "the patient", "his".
    PATIENT = 11, "patient";
    /// Speaks for what is named with it: "supports", "consistent with".
    SUPPORTS = 12, "speaks for";
    /// Speaks against what is named with it: "argues against", "unlikely".
    REJECTS = 13, "speaks against";
    /// Opens a reason: "because", "given".
    BECAUSE = 14, "because";
    /// Opens a contrast: "but", "however".
    CONTRAST = 15, "contrast";
    /// Says that a number is no measurement: "target", "normal range".
    TARGET = 16, "target";
    /// A normal value or state.
    NORMAL = 17, "normal";
    /// A value above normal.
    HIGH = 18, "high";
    /// A value below normal.
    LOW = 19, "low";
    /// A value that is rounded on purpose: "about", "approximately".
    ABOUT = 20, "about";
    /// Weakens a verdict or a claim without turning it.
    NOT = 21, "not";
    /// Age and sex words for women.
    FEMALE = 22, "female";
    /// Age and sex words for men.
    MALE = 23, "male";
    /// Opens a reason behind a verdict, and means nothing elsewhere: "unlikely with ...".
    WITH = 24, "with";
    /// A lower or upper limit before a number: "greater than".
    LIMIT = 25, "limit";
    /// General knowledge, unless the clause is about the patient: "causes", "presents with".
    GENERAL_WEAK = 26, "general without a patient";
    /// Aims at what follows without saying that it is there: "treatment of", "to avoid", "would be".
    PLANS = 27, "plans what follows";
    /// Speaks for what stands before it: "is likely", "is supported by".
    SUPPORTS_SUBJECT = 28, "speaks for its subject";
    /// Speaks against what stands before it: "is unlikely", "does not fit".
    REJECTS_SUBJECT = 29, "speaks against its subject";
    /// A specimen other than blood: its values are another measure's.
    SPECIMEN = 30, "other specimen";
    /// Blood again.
    BLOOD = 31, "own specimen";
}

impl Cues {
    /// All roles of a verdict.
    pub const VERDICT: Cues =
        Cues(Cues::SUPPORTS.0 | Cues::REJECTS.0 | Cues::SUPPORTS_SUBJECT.0 | Cues::REJECTS_SUBJECT.0);
    /// All roles of a verdict against something.
    pub const AGAINST: Cues = Cues(Cues::REJECTS.0 | Cues::REJECTS_SUBJECT.0);

    /// Whether any of the roles is in the set.
    pub fn has(self, roles: Cues) -> bool {
        self.0 & roles.0 != 0
    }
}

impl BitOr for Cues {
    type Output = Cues;
    fn bitor(self, other: Cues) -> Cues {
        Cues(self.0 | other.0)
    }
}

impl BitOrAssign for Cues {
    fn bitor_assign(&mut self, other: Cues) {
        self.0 |= other.0;
    }
}

impl BitAnd for Cues {
    type Output = Cues;
    fn bitand(self, other: Cues) -> Cues {
        Cues(self.0 & other.0)
    }
}

//! Why a computation has no answer.

/// Why a computation has no answer. What it quotes of a module is cut to [`Failure::QUOTE_MAX`] characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The call itself is not within bounds.
    #[error("the call is wrong: {0}")]
    Call(&'static str),
    /// It took longer than its limit.
    #[error("it took longer than it may")]
    OutOfTime,
    /// It wanted more memory than its limit, or than this machine has.
    #[error("it needs more memory than it may have")]
    OutOfMemory,
    /// It burnt all its fuel.
    #[error("it burnt all its fuel")]
    OutOfFuel,
    /// Its answer is longer than its limit.
    #[error("its answer of {0} bytes is longer than it may be")]
    AnswerTooLong(u64),
    /// The service cannot read its argument.
    #[error("its argument cannot be read: {0}")]
    Argument(&'static str),
    /// The module is not here.
    #[error("its module is not here")]
    NoModule,
    /// The module is none, or not one that is run here.
    #[error("its module is not valid: {0}")]
    Invalid(String),
    /// The module wants something of its host.
    #[error("its module imports {0}, and there is nothing to be imported")]
    Imports(String),
    /// The module lacks an export, or has something else under its name.
    #[error("its module does not export {0}")]
    NoExport(&'static str),
    /// The module says that something is where it has no memory.
    #[error("its module gave an address outside its memory")]
    OutOfBounds,
    /// The module did what it must not do, or said itself that it cannot go on.
    #[error("its module trapped: {0}")]
    Trapped(String),
}

impl Failure {
    /// The most characters that are quoted of what a module brings.
    pub const QUOTE_MAX: usize = 200;

    /// The beginning of what a module brings.
    pub(super) fn quote(text: impl std::fmt::Display) -> String {
        text.to_string().chars().take(Self::QUOTE_MAX).collect()
    }
}

//! Whole classes in virtual time.

//! Comparing what is with what should be.

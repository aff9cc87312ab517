//! Every operation's kernel (f32) against its composition of burn operations (f64), results and
//! gradients.

mod checkpointing;
mod compare;
mod operations;
mod repetition;

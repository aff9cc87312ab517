//! Multistep DPM-Solvers, UniPC, PNDM.

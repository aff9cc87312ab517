//! DDIM, Euler, Heun and the single-step DPM-Solvers.

//! dsno-ode

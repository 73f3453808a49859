export interface StreamBuilder {}

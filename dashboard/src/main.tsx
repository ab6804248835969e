// The beginning of the page: it starts to read, and draws.
import { render } from 'preact'
import { startReading } from './live.ts'
import { Page } from './page.tsx'
import './page.css'

const place = document.getElementById('page')
if (place !== null) {
  startReading()
  render(<Page />, place)
}
